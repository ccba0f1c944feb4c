//! Filters of lists. What is no list is one of itself, and nothing is an empty one.

use std::sync::Arc;

use super::Call;
use crate::ast::Operand;
use crate::chars::behind;
use crate::cursor::Cursor;
use crate::problem::Failure;
use crate::value::Value;

type Made = Result<Value, Failure>;

fn items(call: &Call<'_>) -> Arc<Vec<Value>> {
    call.input.clone().items()
}

pub(super) fn join(call: &mut Call<'_>) -> Made {
    let by = call.arg(0).plain();
    let by = if by.is_nil() { " ".into() } else { by.text() };
    let items = items(call);
    call.budget.take(by.len().saturating_mul(items.len()))?;
    Ok(Value::Text(Value::List(items).joined(&by)))
}

pub(super) fn split(call: &mut Call<'_>) -> Made {
    let (text, by) = (call.text(), call.arg_text(0));
    let count = if by.is_empty() { text.chars().count() } else { text.matches(&*by).count() + 1 };
    call.budget.take_items(count)?;
    let mut parts: Vec<&str> = if by.is_empty() { text.split("").collect() } else { text.split(&*by).collect() };
    if by.is_empty() {
        parts.retain(|part| !part.is_empty());
    }
    // What is empty at the end is none.
    while parts.pop_if(|part| part.is_empty()).is_some() {}
    Ok(parts.into_iter().map(Value::from).collect::<Vec<_>>().into())
}

pub(super) fn first(call: &mut Call<'_>) -> Made {
    end(call, 0.0, |text| text.chars().next())
}

pub(super) fn last(call: &mut Call<'_>) -> Made {
    end(call, -1.0, |text| text.chars().next_back())
}

fn end(call: &Call<'_>, at: f64, of_text: fn(&str) -> Option<char>) -> Made {
    Ok(match &call.input {
        list @ Value::List(_) => list.member(&at.into()),
        Value::Text(text) => of_text(text).map_or(Value::from(""), |c| c.to_string().into()),
        _ => "".into(),
    })
}

/// So many from a place on, counted from the end if it is negative: items of a list, characters of all else.
pub(super) fn slice(call: &mut Call<'_>) -> Made {
    let input = call.input.clone().plain();
    if input.is_nil() {
        return Ok(Vec::new().into());
    }
    let (from, length) = (call.arg_number(0).unwrap_or_default(), call.arg_number(1).unwrap_or(1.0));
    let text = input.text();
    let total = if let Value::List(items) = &input { items.len() } else { text.chars().count() };
    let from = if from < 0.0 { total as f64 + from } else { from };
    let (from, length) = if matches!(input, Value::List(_)) { (from, length) } else { (from.ceil(), length.ceil()) };
    let nothing = from < 0.0 || length < 0.0;
    let (from, to) = if nothing { (0, 0) } else { (from as usize, (from + length) as usize) };
    Ok(match input {
        Value::List(items) => items.iter().take(to).skip(from).cloned().collect::<Vec<_>>().into(),
        _ => text[behind(&text, from.min(to))..behind(&text, to)].into(),
    })
}

pub(super) fn compact(call: &mut Call<'_>) -> Made {
    Ok(items(call).iter().filter(|item| !item.is_nil()).cloned().collect::<Vec<_>>().into())
}

pub(super) fn push(call: &mut Call<'_>) -> Made {
    let item = call.arg(0).plain();
    Ok(items(call).iter().cloned().chain([item]).collect::<Vec<_>>().into())
}

pub(super) fn unshift(call: &mut Call<'_>) -> Made {
    Ok(std::iter::once(call.arg(0).plain()).chain(items(call).iter().cloned()).collect::<Vec<_>>().into())
}

pub(super) fn pop(call: &mut Call<'_>) -> Made {
    let items = items(call);
    Ok(items[..items.len().saturating_sub(1)].to_vec().into())
}

pub(super) fn shift(call: &mut Call<'_>) -> Made {
    Ok(items(call).iter().skip(1).cloned().collect::<Vec<_>>().into())
}

/// Of the items, or of what each has under a key. What is no number counts as 0.
pub(super) fn sum(call: &mut Call<'_>) -> Made {
    let (items, key) = (items(call), call.arg(0).plain());
    let key = key.is_set().then(|| key.text());
    let number = |item: &Value| match &key {
        Some(key) => key.split('.').fold(item.clone(), |at, step| at.member(&step.into())).number(),
        None => item.number(),
    };
    let zero = 0.0.into();
    Ok(Value::Number(items.iter().fold(zero, |sum, item| sum.reckon(&number(item), i128::checked_add, |one, other| one + other))))
}

/// The items of which what lies at a path is true, or equals a value.
pub(super) fn r#where(call: &mut Call<'_>) -> Made {
    let path = call.arg_text(0);
    let steps = Cursor::new(&path, 0, path.len()).steps(true).map_err(|problem| call.fail(problem.message))?;
    let wanted = call.args.get(1).cloned().filter(|wanted| !matches!(wanted, Value::Missing));
    let fits = |item: &&Value| {
        let mut at = if steps.is_empty() { Value::Missing } else { (*item).clone() };
        for step in &steps {
            // A key that would have to be found first is none.
            let Operand::Constant(key) = step else { return false };
            at = at.member(key);
        }
        wanted.as_ref().map_or_else(|| at.is_truthy(), |wanted| at.equals(wanted))
    };
    Ok(items(call).iter().filter(fits).cloned().collect::<Vec<_>>().into())
}
