//! `@transform`, and the key at the root of a mapping that stands for it.

use outflow_contract::expr::Expr;

use super::super::{Reader, is_missing, missing};
use crate::tree::{Data, Member, Node};

/// At the root of a mapping: a directive that all other members are the `mapping` of. The reference's editors write it.
pub(crate) const ROOT_DIRECTIVE: &str = "__segment_internal_directive";

const HELP: &str = "write `{ \"@transform\": { apply: { name: $.column }, mapping: { x: $.name } } }`";
const ROOT_HELP: &str = "write `__segment_internal_directive: { \"@transform\": { apply: … } }`: the other members are its `mapping`";

impl Reader<'_> {
    pub(super) fn at_transform(&mut self, node: &Node) -> Expr {
        if self.options(node, "@transform", &["apply", "mapping"], HELP).is_none() {
            return missing();
        }
        let Some(apply) = node.member("apply") else { return self.lacks(node, "@transform", "apply", HELP) };
        let Some(mapping) = node.member("mapping") else { return self.lacks(node, "@transform", "mapping", HELP) };
        let Some(apply) = self.object(&apply.value, "the `apply` of `@transform`", HELP) else { return missing() };
        let mapping = self.inside(|reader| reader.object(&mapping.value, "the `mapping` of `@transform`", HELP));
        mapping.map_or_else(missing, |mapping| applied(apply, mapping))
    }

    /// The mapping that these members of a root are, if one of them is a directive that stands over the others.
    pub(in super::super) fn root_directive(&mut self, members: &[Member]) -> Option<Expr> {
        let over = members.iter().find(|member| member.key == ROOT_DIRECTIVE)?;
        let directive = over.value.members().iter().find(|member| member.key == "@transform").filter(|_| over.value.members().len() == 1);
        let Some(directive) = directive else {
            self.log.error(over.key_span, format!("`{ROOT_DIRECTIVE}` holds one `@transform`")).help(ROOT_HELP);
            return Some(missing());
        };
        let Some(apply) = directive.value.member("apply") else {
            return Some(self.lacks(&directive.value, "@transform", "apply", ROOT_HELP));
        };
        let Some(apply) = self.object(&apply.value, "the `apply` of `@transform`", ROOT_HELP) else { return Some(missing()) };
        let others = members.iter().filter(|member| member.key != ROOT_DIRECTIVE).cloned().collect();
        let others = Node { span: directive.value.span, data: Data::Map(others) };
        Some(applied(apply, self.inside(|reader| reader.value(&others))))
    }
}

fn applied(apply: Expr, mapping: Expr) -> Expr {
    match mapping {
        // The same, whatever it is made of.
        constant @ Expr::Literal(_) => constant,
        mapping if is_missing(&mapping) => mapping,
        mapping => Expr::Transform { apply: Box::new(apply), mapping: Box::new(mapping) },
    }
}
