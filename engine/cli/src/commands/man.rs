//! `outflow man`: the manual.

use std::io::Write;

use clap_mangen::Man;
use outflow_contract::Error;
use serde_json::json;

use crate::args::{self, ManArgs};
use crate::exit::{Exit, Failure};
use crate::render::Console;

pub(crate) fn run(args: &ManArgs, console: &Console) -> Result<Exit, Failure> {
    let Some(folder) = &args.dir else {
        if console.stdout_is_terminal() {
            console
                .say("The page is for `man`: read it with `outflow man | man -l -`, or write it to a file with `outflow man > outflow.1`.");
            return Ok(Exit::Ok);
        }
        let mut page = Vec::new();
        Man::new(args::command()).render(&mut page).map_err(|error| Error::io("could not make the page", error))?;
        // A reader that has gone away is no error.
        drop(std::io::stdout().lock().write_all(&page));
        return Ok(Exit::Ok);
    };
    let failed = |error: std::io::Error| Error::io(format!("could not write into {}", folder.display()), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(args::command(), folder).map_err(failed)?;
    let pages = args::command().get_subcommands().filter(|command| !command.is_hide_set()).count() + 1;
    if console.is_json() {
        console.json(&json!({ "folder": folder, "pages": pages }));
    } else {
        console.line(&format!("Wrote {pages} pages into {}. Try `man -l {}`.", folder.display(), folder.join("outflow.1").display()));
    }
    Ok(Exit::Ok)
}
