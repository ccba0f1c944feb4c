//! Names that were nearly right. One measure for keys, references, actions, settings, fields and columns.

/// Comparing with more names than this would take longer than reading them.
const CANDIDATES_MAX: usize = 2000;

/// The candidate nearest to `name`, if one is near enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = fold(name);
    let length = plain.chars().count();
    // A third of the letters may differ, and one always, so that short names still find their neighbour.
    let distance_max = (length / 3).clamp(1, 3);
    let candidates: Vec<(&str, String)> =
        candidates.into_iter().take(CANDIDATES_MAX).map(|candidate| (candidate, fold(candidate))).collect();
    let near = candidates
        .iter()
        .map(|(candidate, folded)| (distance(&plain, folded), *candidate))
        .filter(|(distance, candidate)| *distance <= distance_max && candidate.chars().count() > *distance)
        .min_by_key(|(distance, _)| *distance);
    near.map(|(_, candidate)| candidate).or_else(|| extended(&plain, &candidates))
}

/// The only candidate that goes on where `plain` ends, or the other way round: `monday` and `mon`.
fn extended<'a>(plain: &str, candidates: &[(&'a str, String)]) -> Option<&'a str> {
    const CHARS_MIN: usize = 3;
    let longer = |a: &str, b: &str| a.len() >= CHARS_MIN && b.starts_with(a);
    let mut found = candidates.iter().filter(|(_, folded)| longer(plain, folded) || longer(folded, plain));
    let first = found.next()?;
    found.next().is_none().then_some(first.0)
}

/// Letters of one case, without the separators that people mix up.
fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase).collect()
}

fn distance(a: &str, b: &str) -> usize {
    /// Longer names are cut: the measure is quadratic, and a name this long is no typing slip.
    const CHARS_MAX: usize = 200;
    if a.chars().count() > CHARS_MAX || b.chars().count() > CHARS_MAX { usize::MAX } else { strsim::damerau_levenshtein(a, b) }
}

/// `a, b, c`; the first twelve if there are more.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = names.into_iter().collect();
    let text = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        return format!("{text} and {} more", names.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_another_word_does_not() {
        let names = ["destination", "model", "id", "added_or_updated"];
        assert_eq!(nearest("modle", names), Some("model"));
        assert_eq!(nearest("Destination", names), Some("destination"));
        assert_eq!(nearest("addedOrUpdated", names), Some("added_or_updated"));
        assert_eq!(nearest("added-or-updated", names), Some("added_or_updated"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest("monday", ["mon", "tue"]), Some("mon"));
        assert_eq!(nearest("upsert", ["upsertContact", "delete"]), Some("upsertContact"));
        assert_eq!(nearest("upsert", ["upsertContact", "upsertCompany"]), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..15).map(|n| n.to_string()).collect();
        assert_eq!(list(names.iter().map(String::as_str)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more");
    }
}
