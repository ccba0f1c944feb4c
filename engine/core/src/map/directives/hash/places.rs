//! The names of countries, and of the states of the USA.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Two letters, and all that means them: three letters, and English names without anything but letters and digits. One to a line.
const COUNTRIES: &str = include_str!("countries.txt");

static BY_NAME: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let lines = COUNTRIES.lines().filter_map(|line| line.split_once(' '));
    lines.flat_map(|(code, names)| names.split(' ').map(move |name| (name, code))).collect()
});

/// The states and territories of the USA, without spaces.
const STATES: [(&str, &str); 56] = [
    ("alabama", "al"),
    ("alaska", "ak"),
    ("americansamoa", "as"),
    ("arizona", "az"),
    ("arkansas", "ar"),
    ("california", "ca"),
    ("colorado", "co"),
    ("connecticut", "ct"),
    ("delaware", "de"),
    ("districtofcolumbia", "dc"),
    ("florida", "fl"),
    ("georgia", "ga"),
    ("guam", "gu"),
    ("hawaii", "hi"),
    ("idaho", "id"),
    ("illinois", "il"),
    ("indiana", "in"),
    ("iowa", "ia"),
    ("kansas", "ks"),
    ("kentucky", "ky"),
    ("louisiana", "la"),
    ("maine", "me"),
    ("maryland", "md"),
    ("massachusetts", "ma"),
    ("michigan", "mi"),
    ("minnesota", "mn"),
    ("mississippi", "ms"),
    ("missouri", "mo"),
    ("montana", "mt"),
    ("nebraska", "ne"),
    ("nevada", "nv"),
    ("newhampshire", "nh"),
    ("newjersey", "nj"),
    ("newmexico", "nm"),
    ("newyork", "ny"),
    ("northcarolina", "nc"),
    ("northdakota", "nd"),
    ("northernmarianaislands", "mp"),
    ("ohio", "oh"),
    ("oklahoma", "ok"),
    ("oregon", "or"),
    ("pennsylvania", "pa"),
    ("puertorico", "pr"),
    ("rhodeisland", "ri"),
    ("southcarolina", "sc"),
    ("southdakota", "sd"),
    ("tennessee", "tn"),
    ("texas", "tx"),
    ("utah", "ut"),
    ("vermont", "vt"),
    ("virginia", "va"),
    ("virginislands", "vi"),
    ("washington", "wa"),
    ("westvirginia", "wv"),
    ("wisconsin", "wi"),
    ("wyoming", "wy"),
];

/// The two letters of a state of the USA, by its name in lower case without spaces.
pub(super) fn state(name: &str) -> Option<&'static str> {
    STATES.binary_search_by(|(known, _)| (*known).cmp(name)).ok().and_then(|at| STATES.get(at)).map(|(_, code)| *code)
}

/// The two letters of a country, by its name or three letters in lower case, without anything but letters and digits.
pub(super) fn country(name: &str) -> Option<&'static str> {
    // The one usual code that is not the standard's.
    if name == "uk" { Some("gb") } else { BY_NAME.get(name).copied() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_in_order_and_no_name_means_two_countries() {
        assert!(STATES.is_sorted_by_key(|(name, _)| *name));
        let names: Vec<&str> = COUNTRIES.lines().flat_map(|line| line.split(' ').skip(1)).collect();
        assert_eq!(names.len(), BY_NAME.len());
        assert_eq!(COUNTRIES.lines().count(), 249);
        let codes = BY_NAME.values().all(|code| code.len() == 2 && code.bytes().all(|b| b.is_ascii_lowercase()));
        assert!(codes && names.iter().all(|name| name.len() > 2));
    }
}
