//! `@liquid`.

use std::collections::BTreeSet;

use outflow_contract::expr::{Expr, Form, Function, Own, Path, RESERVED_ROOTS};
use outflow_liquid::{Problem, Read, Template};

use super::super::{Reader, missing};
use super::own::call;
use crate::nearest::nearest;
use crate::tree::Node;

impl Reader<'_> {
    pub(super) fn at_liquid(&mut self, node: &Node) -> Expr {
        let Some(text) = node.as_str() else {
            let message = format!("`@liquid` takes text, and this is {}", node.kind_name());
            self.log
                .error(node.span, message)
                .help("write `{ \"@liquid\": \"Hello {{ name }}\" }`: a template is the same for every record");
            return missing();
        };
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(problem) => return self.wrong_template(node, text, problem),
        };
        if let Some(text) = template.as_text() {
            return Expr::Literal(text.into());
        }
        let mut seen = BTreeSet::new();
        let mut args: Vec<Expr> = template.reads().iter().map(|read| self.read(read, node, &mut seen)).collect();
        if template.may_ask_for_now() {
            args.push(call(Own::Now { to: Form::UnixMillis, zone: None }, Vec::new()));
        }
        let optional = template.reads().iter().enumerate().filter(|(_, read)| read.optional).map(|(at, _)| at).collect();
        Expr::Call { function: Function::Liquid { text: text.to_owned(), optional }, args }
    }

    /// What a template reads. That a column is there is asked once, and of no name that the template may have a value of its own for.
    fn read(&mut self, read: &Read, node: &Node, seen: &mut BTreeSet<String>) -> Expr {
        let path = Path { segments: read.path.clone() };
        let is_column = path.root().is_some_and(|root| !RESERVED_ROOTS.contains(&root));
        if is_column && (read.optional || path.root().is_some_and(|root| !seen.insert(root.to_owned()))) {
            return Expr::Path(path);
        }
        self.rooted(path, node.span).map_or_else(missing, Expr::Path)
    }

    fn wrong_template(&mut self, node: &Node, text: &str, problem: Problem) -> Expr {
        let Problem { message, help, line, column, unknown, .. } = problem;
        let place = if text.contains('\n') { format!("line {line}, character {column}") } else { format!("character {column}") };
        let near = unknown.as_ref().and_then(|(name, known)| nearest(name, known.iter().copied()));
        let error = self.log.error(node.span, format!("{message} ({place} of the template)")).meant(near);
        if let Some(help) = help {
            error.help(help);
        }
        missing()
    }
}
