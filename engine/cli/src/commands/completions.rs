//! `outflow completions`: commands, options, and the names of the project, completed by a shell.
//!
//! The script is clap's; where a name is wanted, bash, zsh and fish ask `outflow names`.

use std::io::Write;

use clap_complete::{Shell, generate};

use crate::args::{self, CompletionsArgs};
use crate::exit::Exit;

/// The commands whose first argument is a name, and of what.
const NAMED: [(&str, &str); 13] = [
    ("suggest", "mapping"),
    ("reset", "mapping"),
    ("retry", "mapping"),
    ("pending", "mapping"),
    ("baseline", "mapping"),
    ("pause", "mapping"),
    ("resume", "mapping"),
    ("show", "sync"),
    ("replay", "sync"),
    ("preview", "model"),
    ("diff", "model"),
    ("test", "testable"),
    ("catalog", "type"),
];
/// What clap calls such arguments in a script for zsh.
const ARGUMENTS: [(&str, &str); 6] =
    [("mapping", "mapping"), ("mappings", "mapping"), ("model", "model"), ("name", "testable"), ("destination", "type"), ("sync", "sync")];
/// The options that take a name, and of what.
const OPTIONS: [(&str, &str); 6] = [
    ("-s", "pattern"),
    ("--select", "pattern"),
    ("--exclude", "pattern"),
    ("--mapping", "mapping"),
    ("--model", "model"),
    ("--destination", "destination"),
];
/// The command that scripts ask, and people need not know.
const ASKED: &str = "names";

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

/// The words of a command stand behind its label, what follows an option behind the option's.
fn bash(script: &str) -> String {
    let mut what = None;
    let mut behind: Option<&str> = None;
    let mut text = String::with_capacity(script.len());
    for line in script.lines() {
        if let Some(label) = line.trim().strip_prefix("outflow__subcmd__").and_then(|rest| rest.strip_suffix(')')) {
            what = NAMED.iter().find(|(command, _)| *command == label).map(|(_, what)| *what);
        }
        if let Some(found) = behind.take().and_then(|what| of_files_to_names(line, what)) {
            text.push_str(&found);
            continue;
        }
        behind = line.trim().strip_suffix(')').and_then(wanted_by);
        match line.split_once("opts=\"").and_then(|(before, rest)| Some((before, rest.strip_suffix('"')?))) {
            Some((before, words)) if !words.is_empty() => {
                let mut words: Vec<String> = words.split(' ').filter(|word| *word != ASKED).map(str::to_owned).collect();
                words.extend(what.take().map(asking));
                text.push_str(&format!("{before}opts=\"{}\"\n", words.join(" ")));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

/// Of what the option takes names.
fn wanted_by(option: &str) -> Option<&'static str> {
    OPTIONS.iter().find(|(known, _)| *known == option).map(|(_, what)| *what)
}

/// Names where clap offers files. A colon parts words in bash, so there the names of mappings stand for all patterns.
fn of_files_to_names(line: &str, what: &str) -> Option<String> {
    let what = if what == "pattern" { "mapping" } else { what };
    let (before, after) = line.split_once("compgen -f ")?;
    Some(format!("{before}compgen -W \"{}\" -- {after}\n", asking(what)))
}

fn asking(what: &str) -> String {
    format!("$(outflow {ASKED} {what} 2>/dev/null)")
}

fn zsh(script: &str) -> String {
    let argument = |line: &str| {
        let named =
            |id: &str| [format!("':{id} -- "), format!("'::{id} -- "), format!("'*::{id} -- ")].iter().any(|start| line.starts_with(start));
        let (_, what) = ARGUMENTS.iter().find(|(id, _)| named(id))?;
        Some(line.replace(":_default'", &format!(":{{_outflow_names {what}}}'")))
    };
    let option = |line: &str| {
        let named = |option: &str| ["=[", "+["].iter().any(|end| line.starts_with(&format!("'*{option}{end}")));
        let (_, what) = OPTIONS.iter().find(|(option, _)| named(option))?;
        Some(line.replace(":_default'", &format!(":{{_outflow_names {what}}}'")))
    };
    let lines = script.lines().filter(|line| !line.starts_with(&format!("'{ASKED}:")));
    let text: String = lines.map(|line| argument(line).or_else(|| option(line)).unwrap_or_else(|| line.to_owned()) + "\n").collect();
    let found = format!("(${{(f)\"$(outflow {ASKED} $1 2>/dev/null)\"}})");
    let function = format!("_outflow_names() {{\n    local -a found\n    found={found}\n    compadd -a found\n}}\n\n_outflow() {{");
    text.replacen("_outflow() {", &function, 1)
}

fn fish(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.contains(&format!("-a \"{ASKED}\"")));
    let option = |line: &str| {
        let (_, what) = OPTIONS.iter().find(|(option, _)| line.contains(&format!(" -l {} ", option.trim_start_matches('-'))))?;
        line.ends_with(" -r").then(|| format!("{line} -f -a \"{}\"", asking(what).replacen('$', "", 1)))
    };
    let mut text: String = lines.map(|line| option(line).unwrap_or_else(|| line.to_owned()) + "\n").collect();
    for (command, what) in NAMED {
        let names = asking(what).replacen('$', "", 1);
        text.push_str(&format!("complete -c outflow -n \"__fish_seen_subcommand_from {command}\" -f -a \"{names}\"\n"));
    }
    text
}
