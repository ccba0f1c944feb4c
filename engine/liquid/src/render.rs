//! A template over a record: nodes to text.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ast::{Condition, Filtered, Node, Operand, Operator, Part, Reading, Variable};
use crate::budget::Budget;
use crate::filters::Call;
use crate::number::Number;
use crate::problem::Failure;
use crate::value::Value;

/// Where a template's values come from. It asks for those alone that it comes to.
pub trait Record {
    /// The value at a path, the one at that place among the template's reads.
    fn value(&mut self, read: usize) -> Value;

    /// Is it an object or a list?
    fn is_container(&mut self, read: usize) -> bool;

    /// When the sync began, in milliseconds since 1970.
    fn now(&mut self) -> Option<i64>;
}

/// A template under way.
pub(crate) struct Machine<'r> {
    record: &'r mut dyn Record,
    budget: Budget,
    text_bytes_max: usize,
    /// What has been read, by read.
    known: BTreeMap<usize, Value>,
    assigned: BTreeMap<Arc<str>, Value>,
    counters: BTreeMap<Arc<str>, i128>,
    cycles: BTreeMap<String, usize>,
    stopped: bool,
}

impl<'r> Machine<'r> {
    pub(crate) fn new(record: &'r mut dyn Record, text_bytes_max: usize, work_bytes_max: usize) -> Self {
        Self {
            record,
            budget: Budget::new(work_bytes_max),
            text_bytes_max,
            known: BTreeMap::new(),
            assigned: BTreeMap::new(),
            counters: BTreeMap::new(),
            cycles: BTreeMap::new(),
            stopped: false,
        }
    }

    pub(crate) fn nodes(&mut self, nodes: &[Node], out: &mut String) -> Result<(), Failure> {
        for node in nodes {
            self.node(node, out)?;
            if out.len() > self.text_bytes_max {
                return Err(Failure::TooLong);
            }
            if self.stopped {
                break;
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, out: &mut String) -> Result<(), Failure> {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Output(filtered) => self.print(filtered, out)?,
            Node::Assign(name, filtered) => {
                let value = self.filtered(filtered)?;
                self.assigned.insert(name.clone(), value);
            }
            Node::Capture(name, nodes) => {
                let mut text = String::new();
                self.nodes(nodes, &mut text)?;
                self.assigned.insert(name.clone(), text.into());
            }
            Node::Choice(branches) => {
                for branch in branches {
                    let holds = match &branch.condition {
                        Condition::If(asked) => self.filtered(asked)?.is_truthy(),
                        Condition::Unless(asked) => !self.filtered(asked)?.is_truthy(),
                        Condition::Else => true,
                    };
                    if holds {
                        return self.nodes(&branch.nodes, out);
                    }
                }
            }
            Node::Count { name, up } => {
                let counter = self.counters.entry(name.clone()).or_default();
                if *up {
                    out.push_str(&counter.to_string());
                    *counter += 1;
                } else {
                    *counter -= 1;
                    out.push_str(&counter.to_string());
                }
            }
            Node::Cycle { group, candidates, key } => {
                let group = match group {
                    Some(group) => self.operand(group)?.joined(","),
                    None => "".into(),
                };
                let turn = self.cycles.entry(format!("{group}:{key}")).or_default();
                let at = *turn;
                *turn = (at + 1) % candidates.len();
                self.print(&candidates[at], out)?;
            }
            Node::Nodes(nodes) => self.nodes(nodes, out)?,
            Node::Stop => self.stopped = true,
        }
        Ok(())
    }

    fn print(&mut self, filtered: &Filtered, out: &mut String) -> Result<(), Failure> {
        let value = self.filtered(filtered)?;
        self.budget.take_value(&value)?;
        out.push_str(&value.text());
        Ok(())
    }

    fn filtered(&mut self, filtered: &Filtered) -> Result<Value, Failure> {
        let mut value = self.expression(&filtered.expression)?;
        for filter in &filtered.filters {
            let args = filter.args.iter().map(|arg| self.operand(arg)).collect::<Result<Vec<_>, _>>()?;
            let named = filter.named.iter().map(|(name, value)| Ok((name.clone(), self.operand(value)?))).collect::<Result<Vec<_>, _>>()?;
            self.budget.take_value(&value)?;
            args.iter().try_for_each(|arg| self.budget.take_value(arg))?;
            let (record, budget) = (&mut *self.record, &mut self.budget);
            let mut call = Call { name: filter.known.name, input: value, args, named, now: &mut || record.now(), budget };
            value = (filter.known.work)(&mut call)?;
            self.budget.take_value(&value)?;
        }
        Ok(value)
    }

    /// The first operand, once the operators have been applied.
    fn expression(&mut self, postfix: &[Part]) -> Result<Value, Failure> {
        let mut values: Vec<Value> = Vec::with_capacity(2);
        for part in postfix {
            let value = match part {
                Part::Operand(operand) => self.operand(operand)?,
                Part::Operator(operator) => {
                    let right = values.pop().unwrap_or(Value::Missing);
                    let left = if *operator == Operator::Not { Value::Missing } else { values.pop().unwrap_or(Value::Missing) };
                    self.applied(*operator, &left, &right)?.into()
                }
            };
            values.push(value);
        }
        Ok(values.into_iter().next().unwrap_or(Value::Missing))
    }

    fn applied(&mut self, operator: Operator, left: &Value, right: &Value) -> Result<bool, Failure> {
        use std::cmp::Ordering;
        match operator {
            Operator::Not => return Ok(!right.is_truthy()),
            Operator::And => return Ok(left.is_truthy() && right.is_truthy()),
            Operator::Or => return Ok(left.is_truthy() || right.is_truthy()),
            _ => {}
        }
        self.budget.take_value(left)?;
        self.budget.take_value(right)?;
        let order = || left.order(right);
        Ok(match operator {
            Operator::Equal => left.equals(right),
            Operator::Unequal => !left.equals(right),
            Operator::Less => order().is_some_and(Ordering::is_lt),
            Operator::LessEqual => order().is_some_and(Ordering::is_le),
            Operator::Greater => order().is_some_and(Ordering::is_gt),
            Operator::GreaterEqual => order().is_some_and(Ordering::is_ge),
            _ => left.contains(right),
        })
    }

    fn operand(&mut self, operand: &Operand) -> Result<Value, Failure> {
        Ok(match operand {
            Operand::Constant(value) => value.clone(),
            Operand::Variable(variable) => self.variable(variable)?,
            Operand::Member { of, steps } => {
                let of = self.operand(of)?;
                self.walk(of, steps)?
            }
            Operand::Range(from, to) => {
                let (from, to) = (self.operand(from)?.as_number().value(), self.operand(to)?.as_number().value());
                // As many as the reference's loop makes: none if either is no number.
                let count = (to + 1.0 - from).ceil().max(0.0);
                self.budget.take_items(count as usize)?;
                let items = (0..count as usize).map(|at| Value::Number(Number::from(from + at as f64)));
                items.collect::<Vec<_>>().into()
            }
        })
    }

    fn variable(&mut self, variable: &Variable) -> Result<Value, Failure> {
        let Some((first, further)) = variable.steps.split_first() else { return Ok(Value::Missing) };
        let first = self.operand(first)?;
        let name = first.text();
        if let Some(value) = self.assigned.get(&name).cloned() {
            return self.walk(value, further);
        }
        if let Some(counter) = self.counters.get(&name) {
            let counter = Value::Number((*counter).into());
            return self.walk(counter, further);
        }
        let Some(reading) = variable.read else { return Ok(Value::Missing) };
        let found = self.read(reading)?;
        match reading.steps {
            0 => {
                let found = found.member(&first);
                self.walk(found, further)
            }
            steps => self.walk(found, variable.steps.get(steps..).unwrap_or_default()),
        }
    }

    fn walk(&mut self, mut value: Value, steps: &[Operand]) -> Result<Value, Failure> {
        for step in steps {
            let key = self.operand(step)?;
            value = value.member(&key);
        }
        Ok(value)
    }

    /// A value of the record. Its paths give `0`, `false` and the empty text for all that would lie in them, where nothing does.
    fn read(&mut self, reading: Reading) -> Result<Value, Failure> {
        if let Some(known) = self.known.get(&reading.read) {
            return Ok(known.clone());
        }
        let mut value = self.record.value(reading.read);
        let may_be_led_through = match &value {
            Value::Bool(false) => true,
            Value::Number(number) => number.value() == 0.0,
            Value::Text(text) => text.is_empty(),
            _ => false,
        };
        if may_be_led_through && reading.inside.is_some_and(|inside| !self.record.is_container(inside)) {
            value = Value::Missing;
        }
        self.budget.take_value(&value)?;
        self.known.insert(reading.read, value.clone());
        Ok(value)
    }
}
