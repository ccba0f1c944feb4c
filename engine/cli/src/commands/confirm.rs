//! Asking before something that cannot be undone.

use std::io::{BufRead, IsTerminal};

use outflow_contract::Error;

use crate::render::Console;

/// Does the person agree? `command` is what was asked for, as one would write it; `does` what it does, for where nobody can be
/// asked; `question` what is asked, a sentence without its `Go on?`.
pub(crate) fn confirmed(console: &Console, yes: bool, command: &str, does: &str, question: &str) -> Result<bool, Error> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::invalid(format!("`{command}` {does} and wants to be confirmed")).remedy("add --yes"));
    }
    console.ask(&format!("{question} Go on? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|e| Error::io("could not read the answer", e))?;
    let agreed = matches!(answer.trim(), "y" | "Y" | "yes");
    if !agreed {
        console.talk("Nothing was changed.\n");
    }
    Ok(agreed)
}
