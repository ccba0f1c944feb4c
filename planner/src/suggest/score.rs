//! How well a column fits a field: from 0 to 1, and why.
//!
//! ```text
//! names    what both say / what both, or one of them, say       customer_email ~ email
//! owner    whose it is, and which of several                    company_phone ≁ the contact's phone
//! type     can the values become what the field takes?          timestamptz ≁ number
//! values   do they look like it?                                a@example.com ~ email
//! ```
//!
//! The parts multiply: a name that fits does not save values that cannot. Values that look like nothing else may speak for a column
//! whose name says nothing, never for one whose name says another thing.

use outflow_contract::destination::FieldKind;
use serde_json::Value;

use super::meaning::{Meaning, Owner, Role};
use super::samples::{Samples, Shape};
use super::synonyms::nearness;
use super::target::{BESIDE, Target};

/// A column, looked at.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) meaning: Meaning,
    pub(super) held: Held,
    pub(super) samples: Samples,
    pub(super) values: &'a [Value],
}

/// What a column holds, as its type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Text,
    Whole,
    Number,
    Boolean,
    Moment,
    Json,
    Object,
    List,
    Other,
}

impl Held {
    /// Of a type as SQL names it.
    pub(super) fn of(type_name: &str) -> Self {
        let kind = type_name.to_ascii_lowercase();
        let base = kind.split(['(', '<', ' ']).next().unwrap_or_default();
        match base {
            "text" | "varchar" | "string" | "char" => Self::Text,
            "tinyint" | "smallint" | "int" | "integer" | "bigint" => Self::Whole,
            "real" | "double" | "float" | "decimal" | "numeric" => Self::Number,
            "boolean" => Self::Boolean,
            "date" | "timestamp" | "timestamptz" => Self::Moment,
            "json" => Self::Json,
            "struct" | "map" => Self::Object,
            "list" => Self::List,
            _ => Self::Other,
        }
    }
}

/// How well, and why.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Score {
    pub(super) confidence: f64,
    pub(super) why: String,
}

/// What a thing that only the column says takes away, beside one that only the field says.
const EXTRA: f64 = 0.55;
/// What a name is worth that says nothing where the values speak.
const BY_VALUES: f64 = 0.7;
/// How far values that look like it close the gap to certainty.
const CONFIRMED: f64 = 0.4;

/// The score of a column for a field; `None` if there is nothing to be said for it. `record` is what a record is; `alone`: no other
/// column's values look like what the field takes, and no other field takes it.
pub(super) fn score(target: &Target<'_>, column: &Candidate<'_>, record: Option<Owner>, alone: bool) -> Option<Score> {
    let by_type = fits_type(target, column);
    if by_type == 0.0 {
        return None;
    }
    let wanted = wanted(target);
    let confirmed = wanted.is_some_and(|shape| is_strong(shape) && column.samples.mostly(shape));
    let same = is_same_name(target, column);
    let mut by_name = if same { by_same_name(target, column, record) } else { by_name(target, column, record) };
    let mut why = match by_name {
        _ if same => "same name",
        0.95.. => "means the same",
        0.6.. => "means nearly the same",
        _ => "similar name",
    };
    // The values may speak where the name does not.
    if by_name < BY_VALUES && confirmed && alone && wanted.is_some_and(speaks) && !says_other(column) {
        by_name = BY_VALUES;
        why = "by its values";
    } else if by_name < 0.2 {
        return None;
    }
    let mut confidence = by_name * by_type * fits_values(target, wanted, column, same);
    if confirmed {
        confidence += (1.0 - confidence) * CONFIRMED * by_name.min(confidence);
    }
    let seen = wanted.filter(|_| confirmed).map(words_of);
    let why = seen.map_or_else(|| why.to_owned(), |seen| format!("{why}; values are {seen}"));
    Some(Score { confidence: confidence.clamp(0.0, 1.0), why })
}

fn is_same_name(target: &Target<'_>, column: &Candidate<'_>) -> bool {
    let names = [&target.plain, &target.meaning.plain];
    let own = target.path.len() == 1 || target.meaning.things.iter().any(super::meaning::Thing::is_telling);
    (own && names[0].replace(' ', "") == column.meaning.plain.replace(' ', ""))
        || names[1].replace(' ', "") == column.meaning.plain.replace(' ', "")
}

/// The same name, and perhaps of something else: an `id` or a `name` says little.
fn by_same_name(target: &Target<'_>, column: &Candidate<'_>, record: Option<Owner>) -> f64 {
    let bare = matches!(target.meaning.things.as_slice(), [only] if ["id", "name"].contains(&only.what.as_ref()));
    if bare && column.meaning.owner.is_none() { (by_owner(target, column, record).0 + 0.05).min(1.0) } else { 1.0 }
}

/// How much of what the two names say they say both.
fn by_name(target: &Target<'_>, column: &Candidate<'_>, record: Option<Owner>) -> f64 {
    let (field, other) = (&target.meaning, &column.meaning);
    let mut used = vec![false; other.things.len()];
    let (mut both, mut missing) = (0.0, 0.0);
    for thing in &field.things {
        let near = |at: usize| if used[at] { 0.0 } else { near(thing.what.as_ref(), other.things[at].what.as_ref(), record) };
        let best = (0..used.len()).map(|at| (at, near(at))).max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, near)| *near > 0.0);
        let strength = best.map_or(0.0, |(_, near)| near);
        if let Some((at, _)) = best {
            used[at] = true;
        }
        both += thing.weight * strength;
        missing += thing.weight * (1.0 - strength);
    }
    if both == 0.0 {
        return 0.0;
    }
    let extra: f64 = other.things.iter().zip(&used).filter(|(_, used)| !**used).map(|(thing, _)| thing.weight_beside()).sum();
    let (by_owner, tie) = by_owner(target, column, record);
    both += tie;
    both / (both + missing + EXTRA * extra) * by_owner * by_role(field.role, other.role)
}

/// A word may be short for another, or misspelt.
fn near(field: &str, column: &str, record: Option<Owner>) -> f64 {
    let near = nearness(field, column);
    // An order happens when it is made; a person does not.
    if (field, column) == ("happened", "created") && !matches!(record, Some(Owner::Order | Owner::Event)) {
        return near * 0.65;
    }
    if near > 0.0 {
        return near;
    }
    let (short, long) = if field.len() < column.len() { (field, column) } else { (column, field) };
    let ascii = short.is_ascii() && long.is_ascii();
    if ascii && short.len() >= 4 && long.starts_with(short) {
        return 0.7;
    }
    if ascii && short.len() >= 5 && long.len() - short.len() <= 1 && strsim::damerau_levenshtein(short, long) == 1 {
        return 0.8;
    }
    0.0
}

/// Whose they are: how well that goes together, and what it adds where both say the same of a name or an identifier.
fn by_owner(target: &Target<'_>, column: &Candidate<'_>, record: Option<Owner>) -> (f64, f64) {
    // A name, an identifier or a moment says little without whose it is.
    let says = |what: &[&str]| what.iter().any(|what| target.meaning.says(what));
    let identifies = says(&["id", "name", "number"]) && target.meaning.things.iter().filter(|thing| thing.weight > BESIDE).count() == 1;
    let dates = says(&["happened", "created"]);
    let given = column.meaning.owner;
    let is_party = |owner: Owner| matches!(owner, Owner::Person | Owner::Lead | Owner::Company);
    // Everything of an action about persons is a person's, but for what belongs to an order or an event.
    let parties = target.subject.is_some_and(is_party) && given.is_some_and(is_party);
    let subject = target.subject.filter(|_| target.owners.is_empty() && (identifies || parties));
    let any = !target.owners.is_empty() || subject.is_some();
    let wanted = target.owners.iter().copied().chain(subject);
    if given.is_none() {
        let fits = match (identifies, any) {
            (true, true) => wanted.map(|wanted| goes_with_record(wanted, record)).fold(0.0, f64::max),
            (true, false) => 0.9,
            (false, _) if dates => 0.95,
            (false, _) => 1.0,
        };
        return (fits, 0.0);
    }
    let fits = wanted.map(|wanted| goes_with(Some(wanted), given)).max_by(f64::total_cmp).unwrap_or_else(|| goes_with(None, given));
    let tie = if target.meaning.owner == given { 0.4 } else { 0.0 };
    if identifies || dates { (fits, tie) } else { (1.0 - (1.0 - fits) * 0.5, 0.0) }
}

/// A column that does not say whose it is belongs to what the record is.
fn goes_with_record(wanted: Owner, record: Option<Owner>) -> f64 {
    match (wanted, record) {
        (Owner::Browser, _) => 0.4,
        (_, None) => 0.9,
        (wanted, Some(record)) if wanted == record => 0.95,
        (Owner::Event, Some(Owner::Order)) | (Owner::Order, Some(Owner::Event)) => 0.85,
        (Owner::Lead, Some(Owner::Person)) => 0.6,
        _ => 0.5,
    }
}

fn goes_with(wanted: Option<Owner>, given: Option<Owner>) -> f64 {
    match (wanted, given) {
        (_, None) | (None, Some(Owner::Person | Owner::Order)) => 0.93,
        (None, Some(_)) => 0.85,
        (Some(wanted), Some(given)) if wanted == given => 1.0,
        (Some(Owner::Person), Some(Owner::Lead)) | (Some(Owner::Lead), Some(Owner::Person)) => 0.9,
        (Some(Owner::Order), Some(Owner::Event)) | (Some(Owner::Event | Owner::Deal), Some(Owner::Order)) => 0.8,
        (Some(Owner::Browser), Some(Owner::Person)) => 0.5,
        (Some(Owner::Company), Some(Owner::Lead)) => 0.6,
        (Some(_), Some(_)) => 0.4,
    }
}

fn by_role(field: Option<Role>, column: Option<Role>) -> f64 {
    match (field, column) {
        (None, None) => 1.0,
        (Some(field), Some(column)) if field == column => 1.0,
        (Some(Role::Billing | Role::Mailing | Role::Home), None) => 0.95,
        (Some(Role::Shipping | Role::Geo), None) => 0.6,
        (None, Some(Role::Billing | Role::Mailing | Role::Home)) => 0.97,
        (None, Some(Role::Shipping)) => 0.93,
        (None, Some(Role::Geo)) => 0.85,
        (Some(Role::Mailing), Some(Role::Home)) | (Some(Role::Home), Some(Role::Mailing)) => 0.9,
        (Some(_), Some(_)) => 0.3,
    }
}

/// What the values of a field look like, where that can be told.
fn wanted(target: &Target<'_>) -> Option<Shape> {
    let says = |what: &[&str]| what.iter().any(|what| target.meaning.says(what));
    let only = target.meaning.things.iter().filter(|thing| thing.weight >= 0.9).count() == 1;
    let shapes: [(&[&str], Shape); 16] = [
        (&["email"], Shape::Email),
        (&["phone", "mobile", "fax"], Shape::Phone),
        (&["ip"], Shape::Ip),
        (&["user_agent"], Shape::UserAgent),
        (&["time_zone"], Shape::TimeZone),
        (&["currency"], Shape::Currency),
        (&["country"], Shape::Country),
        (&["language", "locale"], Shape::Language),
        (&["website", "image", "url", "referrer"], Shape::Url),
        (&["domain"], Shape::Domain),
        (MOMENTS, Shape::Moment),
        (
            &["total", "tax", "discount", "cost", "quantity", "employees", "mrr", "latitude", "longitude", "age", "probability"],
            Shape::Number,
        ),
        (&["zip"], Shape::Digits),
        (&["subscribed", "unsubscribed", "consent"], Shape::Boolean),
        (&["first_name", "last_name", "full_name", "city", "state"], Shape::Letters),
        (&["salutation"], Shape::Salutation),
    ];
    shapes.into_iter().find(|(what, _)| only && says(what)).map(|(_, shape)| shape)
}

const MOMENTS: &[&str] =
    &["happened", "created", "updated", "loaded", "received", "sent", "last_seen", "first_seen", "close_date", "birth_date"];

/// Few values look like this by chance.
fn is_strong(shape: Shape) -> bool {
    !matches!(shape, Shape::Number | Shape::Digits | Shape::Boolean | Shape::Letters | Shape::Moment | Shape::Language)
}

/// Values that look like this say what they are, whatever their column is called.
fn speaks(shape: Shape) -> bool {
    matches!(shape, Shape::Email | Shape::Ip | Shape::UserAgent | Shape::TimeZone)
}

/// Does the name of the column say something else than its values do?
fn says_other(column: &Candidate<'_>) -> bool {
    column.meaning.things.iter().any(|thing| thing.known && thing.weight >= 1.0) || column.meaning.role.is_some()
}

fn words_of(shape: Shape) -> &'static str {
    match shape {
        Shape::Email => "e-mail addresses",
        Shape::Phone => "telephone numbers",
        Shape::Url => "web addresses",
        Shape::Domain => "domains",
        Shape::Ip => "IP addresses",
        Shape::UserAgent => "user agents",
        Shape::Country => "countries",
        Shape::Currency => "currencies",
        Shape::TimeZone => "time zones",
        Shape::Salutation => "forms of address",
        _ => "of its kind",
    }
}

/// Can what the column holds become what the field takes?
#[allow(clippy::match_same_arms, reason = "a table, kind by kind")]
fn fits_type(target: &Target<'_>, column: &Candidate<'_>) -> f64 {
    let nested = matches!(column.held, Held::Object | Held::List | Held::Json);
    let samples = &column.samples;
    match (target.field.kind, column.held) {
        (FieldKind::Object, Held::List) => f64::from(target.field.multiple),
        (FieldKind::Object, Held::Json | Held::Object) | (FieldKind::StringOrObject, _) => 1.0,
        (FieldKind::Object, _) => 0.0,
        (_, Held::List | Held::Json) if target.field.multiple => 1.0,
        _ if nested => 0.2,
        (FieldKind::String, Held::Boolean) => 0.5,
        (FieldKind::String, _) => 1.0,
        (FieldKind::Number, Held::Whole | Held::Number) | (FieldKind::Integer, Held::Whole) => 1.0,
        (FieldKind::Integer, Held::Number) => 0.9,
        (FieldKind::Number | FieldKind::Integer, Held::Text) if samples.mostly(Shape::Number) => 0.95,
        (FieldKind::Number | FieldKind::Integer, _) => 0.1,
        (FieldKind::Boolean, Held::Boolean) => 1.0,
        (FieldKind::Boolean, _) if samples.mostly(Shape::Boolean) => 0.8,
        (FieldKind::Boolean, _) => 0.1,
        (FieldKind::Datetime, Held::Moment) => 1.0,
        (FieldKind::Datetime, Held::Text) if samples.mostly(Shape::Moment) => 0.95,
        (FieldKind::Datetime, Held::Whole) => 0.6,
        (FieldKind::Datetime, _) => 0.1,
    }
}

/// Do the values look like what the field takes, and not like something else?
fn fits_values(target: &Target<'_>, wanted: Option<Shape>, column: &Candidate<'_>, same: bool) -> f64 {
    let samples = &column.samples;
    let takes_moment = wanted == Some(Shape::Moment) || target.field.kind == FieldKind::Datetime || target.meaning.moment;
    let is_moment = column.held == Held::Moment || samples.mostly(Shape::Moment);
    if takes_moment != is_moment && (is_moment || !matches!(column.held, Held::Whole | Held::Text)) {
        return if same { 0.5 } else { 0.1 };
    }
    if !may_be_chosen(&target.field.choices, column.values) {
        return 0.3;
    }
    let Some(wanted) = wanted else { return not_of_another_kind(None, samples, same) };
    let number = matches!(column.held, Held::Whole | Held::Number) || samples.mostly(Shape::Number);
    let fits = match wanted {
        Shape::Number if number || !samples.any() && column.held == Held::Text => 1.0,
        Shape::Number => 0.15,
        Shape::Moment if takes_moment && column.held == Held::Text && samples.hardly(Shape::Moment) => 0.2,
        // A flag in words or numbers is no yes or no, and still the right column.
        Shape::Boolean | Shape::Moment => 1.0,
        _ if matches!(column.held, Held::Boolean | Held::Moment) => 0.15,
        // Digits without anything between them may be a telephone number, and a hash may be of anything.
        Shape::Phone if samples.mostly(Shape::Number) || samples.mostly(Shape::Hash) => 0.9,
        Shape::Email if samples.mostly(Shape::Hash) => 0.95,
        Shape::Url if samples.mostly(Shape::Domain) => 0.8,
        Shape::Domain if samples.mostly(Shape::Url) => 0.8,
        Shape::Email | Shape::Ip | Shape::UserAgent if samples.hardly(wanted) => 0.2,
        _ if samples.hardly(wanted) && same => 0.8,
        _ if samples.hardly(wanted) => 0.5,
        _ => 1.0,
    };
    fits * not_of_another_kind(Some(wanted), samples, same)
}

/// Values that are plainly something else.
fn not_of_another_kind(wanted: Option<Shape>, samples: &Samples, same: bool) -> f64 {
    if wanted != Some(Shape::Salutation) && samples.mostly(Shape::Salutation) {
        return 0.2;
    }
    let url = matches!(wanted, Some(Shape::Url | Shape::Domain));
    let others = [Shape::Email, Shape::Ip, Shape::UserAgent, Shape::TimeZone];
    let other = others.into_iter().any(|shape| wanted != Some(shape) && samples.mostly(shape)) || (!url && samples.mostly(Shape::Url));
    match (other, wanted, same) {
        (false, ..) => 1.0,
        (true, Some(_), _) => 0.15,
        (true, None, true) => 0.8,
        (true, None, false) => 0.6,
    }
}

/// Are the values among those that a field takes?
fn may_be_chosen(choices: &[String], values: &[Value]) -> bool {
    let among = |text: &str| choices.iter().any(|choice| choice == text);
    choices.is_empty() || values.iter().filter_map(Value::as_str).all(among)
}
