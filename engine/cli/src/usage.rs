//! A command line that cannot be parsed: what is wrong with it, and what to type instead.
//!
//! Who comes from dbt, Terraform or git types their words; a small table knows what they mean here. Its tip stands in the place of
//! the nearest name that clap finds, which is another thing altogether: `list` is not `history`.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use outflow_contract::Error;

/// Commands of other tools, and what to type here.
const COMMANDS: [(&[&str], &str); 19] = [
    (&["debug", "ping", "connect"], "`outflow test NAME` tries a source or a destination, `outflow check` the project"),
    (&["validate", "lint", "parse", "verify", "fmt"], "`outflow check` finds every mistake of the project"),
    (&["compile", "dry-run"], "`outflow plan` shows what a run would send, `outflow preview MODEL` what a query returns"),
    (&["build", "apply", "sync", "push", "deploy", "start", "exec", "execute", "send"], "`outflow run` sends what has changed"),
    (&["rerun", "redo", "resend"], "`outflow run` tries again whatever failed; `outflow retry` does without asking the source"),
    (&["refresh", "full-refresh", "backfill", "resync"], "`outflow reset MAPPING` makes the next sync send every record again"),
    (
        &["ls", "list", "mappings", "models"],
        "`outflow history` lists syncs, `outflow check` counts what the project has, `outflow catalog` lists destinations",
    ),
    (&["status", "state"], "`outflow history` lists past syncs, `outflow show` explains the last one"),
    (&["log", "logs"], "`outflow history` lists past syncs, `outflow show` explains the last one; -v says more while a run works"),
    (&["output", "results", "inspect", "describe"], "`outflow show` explains the last sync; `outflow run --output json` is for programs"),
    (&["version"], "`outflow --version`"),
    (&["docs", "manual"], "`outflow --help` lists the commands, `outflow man` prints the manual page"),
    (
        &["clean", "prune", "vacuum", "destroy", "rm", "remove", "delete"],
        "`outflow gc` drops what is older than `retention` says; `outflow rename MAPPING --forget` ends what is remembered of a mapping",
    ),
    (&["import", "adopt"], "`outflow baseline MAPPING` counts what the destination holds already as delivered"),
    (&["mv", "move"], "`outflow rename OLD NEW` carries what is remembered of a mapping over to its new name"),
    (&["stop", "disable"], "`outflow pause MAPPING` lets its changes wait"),
    (&["unpause", "enable", "continue"], "`outflow resume MAPPING` lets a paused mapping run again"),
    (&["query", "sql", "sample", "head"], "`outflow preview MODEL` shows the first records of a model"),
    (&["new", "create", "clone"], "`outflow init FOLDER` makes a sample project"),
];

/// Options of other tools.
const OPTIONS: [(&[&str], &str); 15] = [
    (&["--dry-run", "--dryrun", "--empty"], "`outflow plan` shows what a run would send, and sends nothing"),
    (&["--full-refresh", "-f", "--force", "--refresh"], "`outflow reset MAPPING` makes the next sync send every record again"),
    (&["--vars", "--var", "--var-file"], "write `${env:NAME}` in outflow.yml, and set that variable of the environment"),
    (&["-t", "--env", "--profile", "--environment", "--workspace"], "`--target NAME` lays `targets: NAME` over the rest of the project"),
    (&["--project-dir", "-C", "--dir", "--chdir"], "`--project FOLDER` says where the project is"),
    (&["--profiles-dir", "--config", "--config-file"], "connections stand in outflow.yml; `--project FOLDER` says where that is"),
    (&["--threads", "--parallelism", "-j"], "`concurrency:` of a destination in outflow.yml says how many requests are under way at once"),
    (&["--fail-fast", "-x"], "there is none: each mapping ends for itself, and the others go on"),
    (&["-m", "--models", "--model"], "`--select model:NAME` chooses the mappings of a model"),
    (&["--mapping"], "`--select NAME` chooses a mapping"),
    (&["-o", "--json", "--format"], "`--output json`"),
    (&["--debug", "-d", "--log-level"], "`-v` says more, `-vv` even more"),
    (&["--no-color", "--no-colour", "--no-use-colors"], "`--color never`"),
    (&["--auto-approve", "-y", "--yes"], "leave it out: nothing is asked here"),
    (
        &["--selector", "--resource-type", "--target-path", "--defer"],
        "there is no such thing here; `--select` chooses mappings by name, `model:`, `destination:`, `source:` or `tag:`",
    ),
];

/// The error with a tip that knows what was meant, where one does. `known` are the commands there are; `args` what was typed.
pub(crate) fn explained(mut error: clap::Error, known: &[String], args: &[String]) -> clap::Error {
    let text = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            text(&error, ContextKind::InvalidSubcommand).and_then(|name| of(&COMMANDS, &name).map(str::to_owned))
        }
        ErrorKind::UnknownArgument => {
            let command = args.iter().find(|arg| known.contains(arg)).map_or("", String::as_str);
            text(&error, ContextKind::InvalidArg).and_then(|arg| of_argument(command, &arg))
        }
        _ => None,
    };
    let Some(tip) = tip else { return error };
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedCommand, ContextKind::TrailingArg] {
        error.remove(kind);
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    error
}

fn of(table: &[(&[&str], &'static str)], word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    table.iter().find(|(words, _)| words.contains(&word.as_str())).map(|(_, tip)| *tip)
}

/// Of an option that `command` does not have, or of a word where it takes none.
fn of_argument(command: &str, arg: &str) -> Option<String> {
    let option = arg.split_once('=').map_or(arg, |(option, _)| option);
    if option.starts_with('-') {
        return of(&OPTIONS, option).map(str::to_owned);
    }
    match (command, arg) {
        ("", _) => None,
        (_, "help") => Some(format!("`outflow help {command}`")),
        ("run" | "plan" | "check", _) => Some(format!("mappings are chosen with --select: `outflow {command} --select {arg}`")),
        ("history", _) => {
            Some(format!("`outflow history --mapping {arg}` lists the syncs of a mapping, `outflow show {arg}` explains one"))
        }
        _ => None,
    }
}

/// The same as an error of this program.
pub(crate) fn as_error(error: &clap::Error) -> Error {
    let text = error.to_string();
    let (message, help) = text.trim().split_once("\n\n").unwrap_or((text.trim(), ""));
    let help: Vec<&str> = help.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let error = Error::invalid(message.trim_start_matches("error: "));
    if help.is_empty() { error } else { error.remedy(help.join("\n")) }
}

/// Does the command line ask for `--option json`? One that cannot be parsed is searched for that alone.
pub(crate) fn wants_json(args: &[String], option: &str) -> bool {
    let joined = format!("{option}=json");
    args.contains(&joined) || args.windows(2).any(|pair| pair[0] == option && pair[1] == "json")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::args::command;

    fn tip(line: &str) -> String {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let known: Vec<String> = command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let error = command().try_get_matches_from(std::iter::once("outflow".to_owned()).chain(args.clone())).unwrap_err();
        explained(error, &known, &args).to_string()
    }

    #[test]
    fn a_word_of_another_tool_is_answered_with_what_to_type_here() {
        for (line, wanted) in [
            ("debug", "outflow test NAME"),
            ("list", "outflow history"),
            ("compile", "outflow plan"),
            ("version", "outflow --version"),
            ("run --full-refresh", "outflow reset MAPPING"),
            ("run --dry-run", "outflow plan"),
            ("run -t dev", "--target NAME"),
            ("run --vars=x", "${env:NAME}"),
            ("run subs", "outflow run --select subs"),
            ("plan subs", "outflow plan --select subs"),
            ("check subs", "outflow check --select subs"),
            ("run help", "outflow help run"),
            ("--project run-x plan help", "outflow help plan"),
        ] {
            let said = tip(line);
            assert!(said.contains("tip: ") && said.contains(wanted), "{line}:\n{said}");
            assert_eq!(said.matches("tip:").count(), 1, "{line}:\n{said}");
        }
        assert!(tip("rum").contains("'run'"), "a slip of the finger is still clap's");
    }

    #[test]
    fn no_word_of_the_table_is_a_command_or_an_option_of_ours() {
        let known: BTreeSet<String> = command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let words: Vec<&str> = COMMANDS.iter().flat_map(|(words, _)| *words).copied().collect();
        assert!(words.iter().all(|word| !known.contains(*word)), "{words:?}");
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "a word stands there twice");
        for tip in COMMANDS.iter().chain(&OPTIONS).map(|(_, tip)| *tip) {
            let named = tip.split('`').filter_map(|part| part.strip_prefix("outflow ")).filter(|rest| !rest.starts_with('-'));
            for name in named.filter_map(|rest| rest.split(' ').next()) {
                assert!(known.contains(name), "`{tip}` names no command of ours");
            }
        }
    }
}
