//! What a name says: the things in it, whose they are, and which of several.
//!
//! ```text
//! customer_billing_email_addr   things: email       owner: a person    role: billing
//! context_campaign_name         things: campaign, name
//! bestelldatum                  things: happened    owner: an order
//! org_id                        things: id          owner: a company
//! ```
//!
//! Words are taken together as far as they mean something together; one that is written in one with its neighbour is taken apart
//! (`telefonnummer`). A word that means nothing to us stands for itself.

use std::borrow::Cow;

use super::synonyms::{PHRASE_WORDS_MAX, abbreviated, meaning, whole};
use super::tokens::words;

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Person,
    Lead,
    Company,
    Order,
    Event,
    Browser,
    Deal,
}

/// Which of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Billing,
    Shipping,
    Mailing,
    Home,
    Geo,
}

/// One thing that a name says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thing {
    /// A meaning of `synonyms.rs`, or the word itself.
    pub(super) what: Cow<'static, str>,
    /// Is it one of the meanings?
    pub(super) known: bool,
    /// How much it says.
    pub(super) weight: f64,
}

impl Thing {
    fn known(what: &'static str) -> Self {
        Self { what: Cow::Borrowed(what), known: true, weight: weight(what) }
    }

    fn word(word: &str) -> Self {
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let first = digits && word.trim_start_matches('0') == "1";
        let weight = match word.len() {
            // The first of several is the one that counts.
            _ if first => 0.05,
            _ if digits => 0.5,
            1 => 0.1,
            _ => UNKNOWN,
        };
        Self { what: Cow::Owned(word.to_owned()), known: false, weight }
    }

    /// Does it say what is meant without its surroundings?
    pub(super) fn is_telling(&self) -> bool {
        self.known && self.weight >= 1.0 && !["title", "url", "description", "model", "query"].contains(&self.what.as_ref())
    }
}

impl Thing {
    /// What it takes away where only a column says it: an identifier of something is another thing than it.
    pub(super) fn weight_beside(&self) -> f64 {
        match self.what.as_ref() {
            "id" | "number" => 1.1,
            _ => self.weight,
        }
    }
}

/// What a word says that means nothing to us.
const UNKNOWN: f64 = 0.8;

fn weight(what: &str) -> f64 {
    match what {
        "name" | "id" => 0.7,
        "number" | "first" | "last" => 0.6,
        "device" | "application" | "page" | "screen" | "network" | "campaign" | "os" => 0.8,
        _ => 1.0,
    }
}

enum Class {
    Owner(Owner),
    Role(Role),
    Moment,
    Nothing,
    Thing,
}

fn class(what: &str) -> Class {
    match what {
        "customer" | "user" | "person" | "member" => Class::Owner(Owner::Person),
        "lead" => Class::Owner(Owner::Lead),
        "company" => Class::Owner(Owner::Company),
        "order" => Class::Owner(Owner::Order),
        "event" => Class::Owner(Owner::Event),
        "browser" => Class::Owner(Owner::Browser),
        "deal" => Class::Owner(Owner::Deal),
        "billing" => Class::Role(Role::Billing),
        "shipping" => Class::Role(Role::Shipping),
        "mailing" => Class::Role(Role::Mailing),
        "home" => Class::Role(Role::Home),
        "geo" => Class::Role(Role::Geo),
        "@" => Class::Moment,
        "-" => Class::Nothing,
        _ => Class::Thing,
    }
}

/// What a name says.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    /// Its words, one behind the other.
    pub(super) plain: String,
    pub(super) things: Vec<Thing>,
    pub(super) owner: Option<Owner>,
    pub(super) role: Option<Role>,
    /// Does it say that it is a moment?
    pub(super) moment: bool,
}

impl Meaning {
    pub(super) fn of(name: &str) -> Self {
        let words = words(name);
        let Some(meant) = whole(name) else { return Self::of_words(&words) };
        let mut found = Self { plain: words.join(" "), ..Self::default() };
        meant.split(' ').for_each(|what| found.add(Thing::known(what)));
        found
    }

    pub(super) fn of_words(words: &[String]) -> Self {
        Self::of_path(&[words.to_vec()])
    }

    /// The meaning of names one below the other, each of them in words: no phrase goes from one to the next.
    pub(super) fn of_path(names: &[Vec<String>]) -> Self {
        let plain = names.iter().flatten().map(String::as_str).collect::<Vec<&str>>().join(" ");
        let mut found = Self { plain, ..Self::default() };
        let mut ends_in_owner = false;
        for words in names {
            let mut at = 0;
            while at < words.len() {
                let longest = PHRASE_WORDS_MAX.min(words.len() - at);
                let phrase = (1..=longest).rev().find_map(|count| Some((count, meaning(&words[at..at + count].concat())?)));
                let (count, meant) = phrase.map_or_else(|| (1, taken_apart(&words[at])), |(count, meant)| (count, Some(vec![meant])));
                match &meant {
                    Some(parts) => parts.iter().for_each(|part| found.add_all(part)),
                    None => found.add(Thing::word(&words[at])),
                }
                ends_in_owner = meant.is_some_and(|parts| parts.last().is_some_and(|part| matches!(class(part), Class::Owner(_))));
                at += count;
            }
        }
        found.settle(ends_in_owner);
        found
    }

    /// Does it say this?
    pub(super) fn says(&self, what: &str) -> bool {
        self.things.iter().any(|thing| thing.what == what)
    }

    fn add_all(&mut self, meant: &'static str) {
        for what in meant.split(' ') {
            match class(what) {
                // The last one is what it is about: `customer_company`.
                Class::Owner(owner) => self.owner = Some(owner),
                Class::Role(role) => self.role = Some(role),
                Class::Moment => self.moment = true,
                Class::Nothing => {}
                Class::Thing => self.add(Thing::known(what)),
            }
        }
    }

    /// It says this, too.
    pub(super) fn say(&mut self, what: Option<&'static str>) {
        if let Some(what) = what {
            self.add(Thing::known(what));
        }
    }

    fn add(&mut self, thing: Thing) {
        if !self.says(&thing.what) {
            self.things.push(thing);
        }
    }

    /// What the words leave open follows from the others.
    fn settle(&mut self, ends_in_owner: bool) {
        const PLACES: [&str; 7] = ["street_2", "city", "state", "zip", "country", "latitude", "longitude"];
        // The address that a place belongs to is no street.
        if self.things.iter().any(|thing| PLACES.contains(&thing.what.as_ref())) {
            self.things.retain(|thing| !["street", "address"].contains(&thing.what.as_ref()));
        }
        if self.says("street") {
            self.things.retain(|thing| thing.what != "address");
        }
        if ends_in_owner && matches!(self.things.as_slice(), [only] if only.what == "address") {
            self.things.clear();
        }
        self.settle_names();
        if !self.things.is_empty() {
            return;
        }
        let what = match (self.moment, self.owner, self.role) {
            (true, ..) => "happened",
            (_, Some(Owner::Company | Owner::Event | Owner::Deal), _) => "name",
            (_, Some(_), _) => "id",
            // `shipping` alone is what it costs.
            (_, None, Some(Role::Shipping)) => "cost",
            (_, None, _) => return,
        };
        self.things.push(Thing::known(what));
    }

    /// `buyer_first` is a first name.
    fn settle_names(&mut self) {
        let (first, last) = (self.says("first"), self.says("last"));
        let bare = self.things.iter().all(|thing| ["first", "last", "name"].contains(&thing.what.as_ref()));
        if bare && first != last && !self.moment {
            self.things = vec![Thing::known(if first { "first_name" } else { "last_name" })];
        }
    }
}

/// A word of several that are written in one, such as `kundennummer`.
fn taken_apart(word: &str) -> Option<Vec<&'static str>> {
    const CHARS: std::ops::RangeInclusive<usize> = 5..=40;
    if !CHARS.contains(&word.len()) || !word.is_ascii() {
        return None;
    }
    parts(word, 3)
}

fn parts(word: &str, most: usize) -> Option<Vec<&'static str>> {
    let known = |part: &str| {
        let word = if part.len() >= 3 || part == "id" { part } else { return None };
        meaning(word).or_else(|| meaning(abbreviated(word)?))
    };
    if let Some(whole) = known(word) {
        return Some(vec![whole]);
    }
    if most == 1 {
        return None;
    }
    // The longest beginning first.
    (3..word.len().saturating_sub(1)).rev().find_map(|at| {
        let first = known(&word[..at])?;
        let mut rest = parts(&word[at..], most - 1)?;
        rest.insert(0, first);
        Some(rest)
    })
}

/// Whose a field is, as its description says: what stands behind `of the` or `of a`.
pub(super) fn owner_in(sentence: &[String]) -> Option<Owner> {
    of_what(sentence, &["the", "a", "an", "your", "this"])
        .find_map(|what| if let Class::Owner(owner) = class(what) { Some(owner) } else { None })
}

/// The other thing that a field is about, as its description says: *the country of a telephone number*.
pub(super) fn thing_in(sentence: &[String]) -> Option<&'static str> {
    of_what(sentence, &["a", "an"]).find(|what| ["phone", "page", "device"].contains(what))
}

/// What stands behind `of` and one of these articles, or no article.
fn of_what(sentence: &[String], articles: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    (0..sentence.len()).filter(|&at| sentence[at] == "of").filter_map(move |at| {
        let article = sentence.get(at + 1).is_some_and(|word| articles.contains(&word.as_str()));
        meaning(sentence.get(at + 1 + usize::from(article))?)
    })
}

/// What a record is, as its columns say: an order has a total, a person a name.
pub(super) fn kind_of_record<'a>(columns: impl Iterator<Item = &'a Meaning>) -> Option<Owner> {
    const SIGNS: [(Owner, &[&str]); 5] = [
        (Owner::Deal, &["stage", "probability", "close_date", "lost_reason"]),
        (Owner::Order, &["total", "subtotal", "tax", "discount", "coupon", "cost", "quantity"]),
        (Owner::Event, &["page", "url", "query", "referrer", "campaign", "happened"]),
        (Owner::Company, &["employees", "industry", "domain", "mrr", "annual_revenue", "website"]),
        (Owner::Person, &["first_name", "last_name", "full_name", "birth_date", "gender", "job_title", "email", "phone", "mobile"]),
    ];
    let mut counts = [0_usize; SIGNS.len()];
    for column in columns {
        for (count, (_, signs)) in counts.iter_mut().zip(SIGNS) {
            *count += usize::from(signs.iter().any(|sign| column.says(sign)));
        }
    }
    // The first of those that are there equally often.
    let most = counts.iter().copied().max().filter(|most| *most > 0)?;
    counts.iter().zip(SIGNS).find(|(count, _)| **count == most).map(|(_, (owner, _))| owner)
}

/// `nom` beside `prenom` is the family name, `nombre` beside `apellidos` the given one.
pub(super) fn settle_among(meanings: &mut [&mut Meaning]) {
    let said = |meanings: &[&mut Meaning], what: &str| meanings.iter().any(|meaning| meaning.says(what));
    let (first, last) = (said(meanings, "first_name"), said(meanings, "last_name"));
    let mut bare = meanings.iter_mut().filter(|meaning| {
        meaning.owner.is_none() && meaning.plain != "name" && matches!(meaning.things.as_slice(), [only] if only.what == "name")
    });
    if let (true, Some(name), None) = (first != last, bare.next(), bare.next()) {
        name.things = vec![Thing::known(if first { "last_name" } else { "first_name" })];
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::sentence;
    use super::*;

    fn says(name: &str) -> String {
        let meaning = Meaning::of(name);
        meaning.things.iter().map(|thing| thing.what.as_ref()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_same_is_said_in_many_ways() {
        for name in ["email", "E-Mail", "CUST_EMAIL_ADDR", "EMailAddress1", "usr_eml", "courriel", "emailadresse", "c_email_address"] {
            assert_eq!(says(name).trim_end_matches(" c").trim_end_matches(" 1").trim_start_matches("c "), "email", "{name}");
        }
        for name in ["first_name", "FirstName", "firstname", "fname", "given_nm", "vorname", "prenom", "buyer_first", "guest_name_first"] {
            assert_eq!(says(name), "first_name", "{name}");
        }
        for name in ["zip", "usr_zip_cd", "postalCode", "plz", "code_postal", "default_address_zip", "Address1_PostalCode"] {
            assert_eq!(says(name), "zip", "{name}");
        }
    }

    #[test]
    fn words_written_in_one_are_taken_apart() {
        assert_eq!(says("kundennummer"), "number");
        assert_eq!(Meaning::of("kundennummer").owner, Some(Owner::Person));
        assert_eq!(Meaning::of("groupid").owner, Some(Owner::Company));
        assert_eq!(says("android"), "android");
    }

    #[test]
    fn what_a_name_leaves_open_follows() {
        assert_eq!(says("company"), "name");
        assert_eq!(says("customer"), "id");
        assert_eq!((says("order_date"), Meaning::of("order_date").owner), ("happened".to_owned(), None));
        assert_eq!(says("txn_ts"), "happened");
        assert_eq!(says("timestamp"), "happened");
        assert_eq!(says("address1_city"), "city");
        assert_eq!(Meaning::of("billing_city").role, Some(Role::Billing));
        assert_eq!(says("last_login_at"), "last_seen");
    }

    #[test]
    fn a_description_tells_whose_it_is() {
        let owner = |text: &str| owner_in(&sentence(text));
        assert_eq!(owner("Your own identifier of the user."), Some(Owner::Person));
        assert_eq!(owner("The name of the company."), Some(Owner::Company));
        assert_eq!(owner("The city of the billing address."), None);
        assert_eq!(owner("The position at the company."), None);
    }
}
