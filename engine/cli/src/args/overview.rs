//! The overview of commands: in the order in which a person needs them, under headings.

use clap::builder::StyledStr;
use clap::{Command, CommandFactory};

use super::{Cli, STYLES};

/// Every command that is shown, once.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Start", &["init", "check", "catalog", "suggest", "test", "preview"]),
    ("Run", &["plan", "run", "retry"]),
    ("Look", &["history", "show", "pending", "diff"]),
    ("Keep", &["doctor", "gc"]),
    ("Mend", &["pause", "resume", "replay", "reset", "baseline", "rename"]),
    ("Help", &["schema", "completions", "man", "help"]),
];

/// The command line, with its overview.
pub(crate) fn command() -> Command {
    let command = Cli::command();
    let template = template(&command);
    command.help_template(template)
}

fn template(command: &Command) -> StyledStr {
    let (heading, name) = (STYLES.get_header(), STYLES.get_literal());
    let width = GROUPS.iter().flat_map(|(_, names)| *names).map(|name| name.len()).max().unwrap_or_default();
    let mut text = "{before-help}{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (title, commands) in GROUPS {
        text.push_str(&format!("\n{heading}{title}:{heading:#}\n"));
        for command_name in commands {
            let about = command.find_subcommand(command_name).and_then(Command::get_about).map(ToString::to_string);
            let about = about.unwrap_or_else(|| "Print this, or the help of a command".to_owned());
            // What stands behind a colon has room in the help of the command.
            let about = about.split(": ").next().unwrap_or_default();
            text.push_str(&format!("  {name}{command_name:<width$}{name:#}  {about}\n"));
        }
    }
    text.push_str(&format!("\n{heading}Options of every command:{heading:#}\n{{options}}{{after-help}}"));
    StyledStr::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_in_the_overview_once() {
        let mut shown: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let command = Cli::command();
        let mut known: Vec<&str> = command.get_subcommands().filter(|c| !c.is_hide_set()).map(Command::get_name).collect();
        known.push("help");
        shown.sort_unstable();
        known.sort_unstable();
        assert_eq!(shown, known);
    }
}
