//! The fields that a column can be suggested for, and what each of them asks for.
//!
//! ```text
//! user_data: { email, phone }     the members of an object, one by one
//! traits: {}                      an object of any members: a column that holds objects
//! channel (constant)              none: it is the same for every record
//! ```
//!
//! Which of several a field is (`billing_city`) only matters where the action has its like (`shipping_city`); otherwise it is *the* city.

use outflow_contract::destination::{Field, FieldKind};

use super::meaning::{Meaning, Owner, owner_in, thing_in};
use super::tokens::{sentence, words};

/// A field, or a member of one.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The field and, of a member, the names that lead to it.
    pub path: Vec<&'a str>,
    /// It.
    pub field: &'a Field,
    /// Must it be there? Of a member: only if what it belongs to must be, too.
    pub required: bool,
    pub(super) meaning: Meaning,
    /// The name alone, without those that lead to it.
    pub(super) plain: String,
    /// Whose it is, as its name and its description say.
    pub(super) owners: Vec<Owner>,
    /// Whom or what the whole action is about.
    pub(super) subject: Option<Owner>,
}

impl Target<'_> {
    /// Such as `user_data.email`.
    pub fn name(&self) -> String {
        self.path.join(".")
    }

    /// Does it take objects, whatever is in them?
    pub fn is_object(&self) -> bool {
        self.field.kind == FieldKind::Object
    }
}

/// What names that lead to a telling one say beside it.
pub(super) const BESIDE: f64 = 0.3;

/// All that a column can be suggested for, in the order in which the action declares it.
pub fn targets(declared: &[Field]) -> Vec<Target<'_>> {
    let mut found = Vec::new();
    for field in declared {
        add(field, &[], field.required, &mut found);
    }
    let subject = subject(&found);
    for at in 0..found.len() {
        found[at].subject = subject;
        if found[at].meaning.role.is_some() && !has_like(&found, at) {
            found[at].meaning.role = None;
        }
    }
    found
}

fn add<'a>(field: &'a Field, before: &[&'a str], required: bool, found: &mut Vec<Target<'a>>) {
    if field.constant {
        return;
    }
    let path: Vec<&str> = before.iter().copied().chain([field.name.as_str()]).collect();
    if field.kind == FieldKind::Object && !field.properties.is_empty() && !field.multiple {
        for member in &field.properties {
            add(member, &path, required && member.required, found);
        }
        return;
    }
    let mut meaning = meaning_of(&path);
    let description = sentence(&field.description);
    meaning.say(thing_in(&description));
    let described = owner_in(&description);
    // The client of an identifier may be a person or a browser.
    let named = meaning.owner.filter(|_| described != Some(Owner::Browser));
    let owners = named.into_iter().chain(described).collect();
    found.push(Target { plain: words(&field.name).join(" "), path, field, required, meaning, owners, subject: None });
}

/// What the whole path says. What leads to a name that tells all by itself says little.
fn meaning_of(path: &[&str]) -> Meaning {
    let mut meaning = Meaning::of_path(&path.iter().map(|name| words(name)).collect::<Vec<_>>());
    if let (Some(own), true) = (path.last().map(|name| Meaning::of(name)), path.len() > 1)
        && own.things.iter().any(super::meaning::Thing::is_telling)
    {
        for thing in &mut meaning.things {
            if !own.says(&thing.what) {
                thing.weight *= BESIDE;
            }
        }
        for thing in own.things {
            if !meaning.says(&thing.what) {
                meaning.things.push(thing);
            }
        }
    }
    meaning
}

/// Whom or what the action is about: whose most of its fields are.
fn subject(targets: &[Target<'_>]) -> Option<Owner> {
    let owners: Vec<Owner> = targets.iter().filter_map(|target| target.owners.first().copied()).collect();
    let count = |owner: Owner| owners.iter().filter(|other| **other == owner).count();
    owners.iter().copied().max_by_key(|owner| count(*owner))
}

/// Is there another field that says the same, but for which of several it is?
fn has_like(targets: &[Target<'_>], at: usize) -> bool {
    let target = &targets[at].meaning;
    let same = |other: &Meaning| {
        let telling =
            |meaning: &Meaning| meaning.things.iter().filter(|thing| thing.weight > BESIDE).map(|t| t.what.clone()).collect::<Vec<_>>();
        other.role != target.role && telling(other) == telling(target)
    };
    targets.iter().enumerate().any(|(number, other)| number != at && same(&other.meaning))
}

#[cfg(test)]
mod tests {
    use super::super::meaning::Role;
    use super::*;

    fn text(name: &str, description: &str) -> Field {
        Field::new(name, FieldKind::String, description)
    }

    #[test]
    fn members_are_targets_and_constants_are_none() {
        let name = text("email", "The address.").required();
        let declared = vec![
            Field::new("user", FieldKind::Object, "Who.").properties(vec![name, text("city", "The city.")]).required(),
            Field::new("traits", FieldKind::Object, "What else."),
            text("channel", "Which.").constant(),
        ];
        let found = targets(&declared);
        let names: Vec<(String, bool)> = found.iter().map(|target| (target.name(), target.required)).collect();
        assert_eq!(names, [("user.email".to_owned(), true), ("user.city".to_owned(), false), ("traits".to_owned(), false)]);
        assert!(found[2].is_object());
    }

    #[test]
    fn which_of_several_matters_only_where_there_are_several() {
        let mailing = [text("mailing_city", "The city."), text("mailing_state", "The state.")];
        assert!(targets(&mailing).iter().all(|target| target.meaning.role.is_none()));
        let both = [text("billing_city", "The city."), text("shipping_city", "The city.")];
        assert_eq!(targets(&both)[1].meaning.role, Some(Role::Shipping));
    }

    #[test]
    fn a_member_is_known_by_what_it_belongs_to() {
        let app =
            [Field::new("application", FieldKind::Object, "The app.").properties(vec![text("name", "Its name."), text("city", "Where.")])];
        let found = targets(&app);
        let weight = |at: usize| found[at].meaning.things.iter().find(|thing| thing.what == "application").map(|thing| thing.weight);
        assert!(weight(0).unwrap() > 0.7 && weight(1).unwrap() < 0.3);
    }
}
