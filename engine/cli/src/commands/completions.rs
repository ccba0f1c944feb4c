//! `outflow completions`: commands, options, and the names of the project, completed by a shell.
//!
//! The script is clap's; where a name is wanted, bash, zsh and fish ask `outflow names`.

use std::io::Write;

use clap_complete::{Shell, generate};

use crate::args::{self, CompletionsArgs};
use crate::exit::Exit;

/// The arguments that are names: what clap calls them, and what `outflow names` calls them.
const NAMES: [(&str, &str, &str); 4] =
    [("MAPPING", "mapping", "mapping"), ("MODEL", "model", "model"), ("NAME", "name", "testable"), ("DESTINATION", "destination", "type")];
/// The commands whose first argument is such a name.
const COMMANDS: [(&str, &str); 4] =
    [("reset baseline pause resume", "mapping"), ("preview", "model"), ("test", "testable"), ("catalog", "type")];

pub(crate) fn run(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    generate(args.shell, &mut args::command(), "outflow", &mut script);
    let script = with_names(args.shell, &String::from_utf8_lossy(&script));
    // A reader that has gone away is no error.
    drop(std::io::stdout().lock().write_all(script.as_bytes()));
    Exit::Ok
}

fn with_names(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => bash(script),
        Shell::Zsh => zsh(script),
        Shell::Fish => fish(script),
        _ => script.to_owned(),
    }
}

/// clap offers the arguments' placeholders as words: those of names become the names, and the others go.
fn bash(script: &str) -> String {
    let offered = |line: &str| {
        let (before, words) = line.split_once("opts=\"")?;
        let words: Vec<String> = words.strip_suffix('"')?.split_whitespace().filter_map(word).collect();
        Some(format!("{before}opts=\"{}\"", words.join(" ")))
    };
    script.lines().map(|line| offered(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

fn word(word: &str) -> Option<String> {
    let Some(placeholder) = word.strip_prefix(['<', '[']) else { return Some(word.to_owned()) };
    let placeholder = placeholder.trim_end_matches(['>', ']', '.']);
    let known = NAMES.iter().find(|(value, _, _)| *value == placeholder);
    known.map(|(_, _, what)| format!("$(outflow names {what} 2>/dev/null)"))
}

fn zsh(script: &str) -> String {
    let argument = |line: &str| {
        let named = |id: &str| [format!("':{id} -- "), format!("'::{id} -- ")].iter().any(|start| line.starts_with(start));
        let (_, _, what) = NAMES.iter().find(|(_, id, _)| named(id))?;
        Some(line.replace(":_default'", &format!(":{{_outflow_names {what}}}'")))
    };
    let lines: String = script.lines().map(|line| argument(line).unwrap_or_else(|| line.to_owned()) + "\n").collect();
    let function = "_outflow_names() {\n    local -a names\n    names=(${(f)\"$(outflow names $1 2>/dev/null)\"})\n    compadd -a names\n}\n\n_outflow() {";
    lines.replacen("_outflow() {", function, 1)
}

fn fish(script: &str) -> String {
    let mut script = script.to_owned();
    for (commands, what) in COMMANDS {
        script.push_str(&format!(
            "complete -c outflow -n \"__fish_seen_subcommand_from {commands}\" -f -a \"(outflow names {what} 2>/dev/null)\"\n"
        ));
    }
    script
}
