//! Which column goes to which field: each field one column, and each column one field.
//!
//! The surest pair goes first; at the same confidence a required field before an optional one, and otherwise what is declared first.
//! A required field also gets ahead of optional ones that are only a little surer, since the mapping cannot do without it.
//!
//! A column is given away once. Where a value belongs to two fields (an identifier that is the external id, too), a person says so.

/// A column that may go to a field.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) target: usize,
    pub(super) column: usize,
    pub(super) confidence: f64,
    pub(super) required: bool,
    pub(super) why: String,
}

/// What a required field gets ahead of an optional one.
const AHEAD: f64 = 0.05;

/// The pairs that hold, in the order of the fields.
pub(super) fn assign(mut pairs: Vec<Pair>) -> Vec<Pair> {
    let rank = |pair: &Pair| pair.confidence + if pair.required { AHEAD } else { 0.0 };
    pairs.sort_by(|a, b| rank(b).total_cmp(&rank(a)).then(a.target.cmp(&b.target)).then(a.column.cmp(&b.column)));
    let mut chosen: Vec<Pair> = Vec::new();
    for pair in pairs {
        if chosen.iter().all(|other| other.target != pair.target && other.column != pair.column) {
            chosen.push(pair);
        }
    }
    chosen.sort_by_key(|pair| pair.target);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(target: usize, column: usize, confidence: f64, required: bool) -> Pair {
        Pair { target, column, confidence, required, why: String::new() }
    }

    fn chosen(pairs: Vec<Pair>) -> Vec<(usize, usize)> {
        assign(pairs).into_iter().map(|pair| (pair.target, pair.column)).collect()
    }

    #[test]
    fn no_column_has_two_fields_and_no_field_two_columns() {
        assert_eq!(chosen(vec![pair(0, 0, 0.9, false), pair(0, 1, 0.8, false), pair(1, 0, 0.85, false)]), [(0, 0)]);
        assert_eq!(chosen(vec![pair(0, 0, 0.8, false), pair(1, 0, 0.9, false), pair(0, 1, 0.7, false)]), [(0, 1), (1, 0)]);
    }

    #[test]
    fn a_required_field_goes_first_unless_another_is_much_surer() {
        assert_eq!(chosen(vec![pair(0, 0, 0.8, false), pair(1, 0, 0.78, true)]), [(1, 0)]);
        assert_eq!(chosen(vec![pair(0, 0, 0.95, false), pair(1, 0, 0.7, true)]), [(0, 0)]);
    }

    #[test]
    fn what_is_declared_first_goes_first_at_the_same_confidence() {
        assert_eq!(chosen(vec![pair(1, 0, 0.8, false), pair(0, 0, 0.8, false)]), [(0, 0)]);
        assert_eq!(chosen(vec![pair(0, 1, 0.8, false), pair(0, 0, 0.8, false)]), [(0, 0)]);
    }
}
