//! Nothing that a file can contain makes the loader panic, hang or use the whole machine.

use outflow_planner::render;
use proptest::prelude::*;

use crate::support::{FULL, SMALL, load_text};

/// Loads, renders whatever comes of it, and cares for nothing else.
fn survives(text: &str) {
    if let Err(problems) = load_text(text) {
        assert!(problems.errors() > 0);
        render(&problems.0, &miette::GraphicalTheme::unicode_nocolor(), 100);
        for problem in &problems.0 {
            let _ = (problem.position(), problem.excerpt(), problem.help());
        }
    }
}

/// Pieces that a mutation puts in: whatever has a meaning somewhere.
const PIECES: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "\n",
    "\t",
    "  ",
    "&a ",
    "*a",
    "<<: ",
    "|",
    ">",
    "'",
    "\"",
    "#",
    "!",
    "!!str ",
    "---\n",
    "? ",
    "${env:X}",
    "${",
    "$.",
    "@path",
    "{{",
    "}}",
    "é",
    "\u{feff}",
    "\0",
    "\u{1b}[31m",
    "0x",
    "~",
    "null",
    "-1",
    "1e999",
    ";",
    "99999999999999999999",
    "\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_text_at_all_is_loaded_or_refused(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_soup_of_yaml_is_loaded_or_refused(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        survives(&pieces.concat());
    }

    #[test]
    fn a_project_with_pieces_put_in_or_cut_out_is_loaded_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..30, prop::sample::select(&PIECES[..])), 1..8)
    ) {
        let mut text: Vec<char> = FULL.chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, piece.chars());
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_in_any_place_of_a_project_is_loaded_or_refused(text in any::<String>(), line in 0_usize..20) {
        let quoted = serde_json::to_string(&text).unwrap();
        let mut lines: Vec<String> = SMALL.lines().map(str::to_owned).collect();
        let at = line % lines.len();
        if let Some((key, _)) = lines[at].clone().split_once(':') {
            lines[at] = format!("{key}: {quoted}");
        }
        survives(&lines.join("\n"));
    }
}

#[test]
fn large_hostile_files_are_refused_quickly() {
    survives(&"[".repeat(8 << 20));
    survives(&"a: ".repeat(1 << 20));
    survives(&"- ".repeat(1 << 20));
    survives(&"&a ".repeat(1 << 16));
    survives(&format!("a: \"{}\"", "x".repeat(4 << 20)));
    survives(&format!("a: [{}]", "1,".repeat(1_200_000)));
    survives(&(0..100_000).map(|n| format!("k{n}: 1\n")).collect::<String>());
    survives(&"x".repeat((8 << 20) + 1));
}
