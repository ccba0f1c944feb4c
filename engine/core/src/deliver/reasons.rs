//! Failed records by reason: counted in full, and a few of them kept as samples. Memory: bounded, however many fail and for however
//! many reasons.

use std::collections::BTreeMap;

use outflow_contract::Op;
use outflow_contract::limits::{REASONS_MAX, SAMPLES_PER_REASON};
use outflow_contract::outcome::Rejection;
use outflow_contract::report::{FailureGroup, FailureSample, Tally};
use outflow_contract::secret::Redactor;

use super::advice::advice;
use crate::commit::{Sample, Samples, Settled};

/// The code of failures for which there was no group left.
const OTHER: &str = "other";

/// The groups so far, by code.
#[derive(Default)]
pub(super) struct Reasons {
    groups: BTreeMap<String, Group>,
    /// What to do about failures of a code, where a failure said so itself.
    remedies: BTreeMap<String, String>,
}

/// Failed records with one code.
struct Group {
    report: FailureGroup,
    /// The message of the first of them, as it came.
    first: String,
    /// Of the samples, in their order.
    positions: Vec<u32>,
}

impl Group {
    /// A sample that says what another one has said before it: another message may have its place.
    fn told_twice(&self) -> Option<usize> {
        let samples = &self.report.samples;
        (1..samples.len()).rev().find(|&i| samples[..i].iter().any(|sample| sample.message == samples[i].message))
    }
}

impl Reasons {
    /// Counts a failed record. `sample` is only asked for the first ones of a reason, with the message: millions may fail.
    pub(super) fn add(
        &mut self,
        why: &Rejection,
        (op, position): (Op, u32),
        redactor: &Redactor,
        sample: impl FnOnce(String) -> FailureSample,
    ) {
        let code = if self.groups.len() < REASONS_MAX || self.groups.contains_key(&why.code) { why.code.as_str() } else { OTHER };
        if !self.groups.contains_key(code) {
            let message = if code == OTHER { "failed for still other reasons".to_owned() } else { redactor.clean(&why.message) };
            let report = FailureGroup {
                code: code.to_owned(),
                message,
                other_messages: 0,
                records: 0,
                operations: Tally::default(),
                action: self.remedies.get(code).cloned().unwrap_or_else(|| advice(code).to_owned()),
                samples: Vec::new(),
            };
            self.groups.insert(code.to_owned(), Group { report, first: why.message.clone(), positions: Vec::new() });
        }
        let Some(group) = self.groups.get_mut(code) else { return };
        group.report.records += 1;
        group.report.operations.add(op, 1);
        let is_other = code != OTHER && why.message != group.first;
        group.report.other_messages += u64::from(is_other);
        if group.positions.len() < SAMPLES_PER_REASON {
            group.positions.push(position);
            group.report.samples.push(sample(redactor.clean(&why.message)));
        } else if is_other && let Some(told_twice) = group.told_twice() {
            let message = redactor.clean(&why.message);
            if group.report.samples.iter().all(|sample| sample.message != message) {
                group.positions[told_twice] = position;
                group.report.samples[told_twice] = sample(message);
            }
        }
    }

    /// A failure of that code says itself what to do.
    pub(super) fn note_remedy(&mut self, code: &str, remedy: String) {
        self.remedies.insert(code.to_owned(), remedy);
    }

    /// What to do about failures of that code: as one of them said, or as is known of such codes.
    pub(super) fn remedy(&self, code: &str) -> Option<String> {
        let known = || {
            let telling = matches!(code, "redirect" | "http_404" | "http_405" | "http_413") || code.starts_with("http_5");
            telling.then(|| advice(code).to_owned())
        };
        self.remedies.get(code).cloned().or_else(known)
    }

    /// Payloads and answers of the samples, for the file of failures.
    pub(super) fn samples(&self) -> Samples {
        let each = self.groups.values().flat_map(|group| group.positions.iter().zip(&group.report.samples));
        let kept = |sample: &FailureSample| Sample {
            payload: (!sample.payload.is_empty()).then(|| sample.payload.clone()),
            answer: sample.answer.clone(),
        };
        each.map(|(&position, sample)| (position, kept(sample))).collect()
    }

    /// The groups, most records first; with what `settled` knows of the samples.
    pub(super) fn groups(&self, settled: &Settled) -> Vec<FailureGroup> {
        let complete = |group: &Group| {
            let mut report = group.report.clone();
            for (position, sample) in group.positions.iter().zip(&mut report.samples) {
                if let Some(known) = settled.sampled.get(position) {
                    sample.attempts = known.attempts;
                    sample.first_seen = Some(known.first_seen.clone());
                    sample.last_seen = Some(known.last_seen.clone());
                }
            }
            report
        };
        let mut groups: Vec<FailureGroup> = self.groups.values().map(complete).collect();
        groups.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.code.cmp(&b.code)));
        groups
    }
}

/// The group of records that were left when the sync stopped.
pub(crate) fn not_sent(operations: Tally, cancelled: bool) -> FailureGroup {
    let (message, action) = if cancelled {
        ("not sent, or not answered in time, because the run was asked to end", "run again: the rest goes out")
    } else {
        ("not sent, because the sync had stopped", advice("not_attempted"))
    };
    FailureGroup {
        code: "not_attempted".to_owned(),
        message: message.to_owned(),
        other_messages: 0,
        records: operations.total,
        operations,
        action: action.to_owned(),
        samples: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(message: String) -> FailureSample {
        let (id, payload) = ("1".to_owned(), "{}".to_owned());
        FailureSample { id, op: Op::Added, message, payload, answer: None, attempts: 1, first_seen: None, last_seen: None }
    }

    fn why(code: &str) -> Rejection {
        Rejection { code: code.to_owned(), message: "no s3cr3t".to_owned() }
    }

    #[test]
    fn all_are_counted_and_a_few_are_kept() {
        let redactor = Redactor::default();
        redactor.add("s3cr3t");
        let mut reasons = Reasons::default();
        let mut asked = 0;
        for position in 0..1000 {
            let op = if position < 10 { Op::Deleted } else { Op::Added };
            reasons.add(&why("http_422"), (op, position), &redactor, |message| {
                asked += 1;
                sample(message)
            });
        }
        assert_eq!(asked, SAMPLES_PER_REASON);
        let groups = reasons.groups(&Settled::default());
        assert_eq!((groups.len(), groups[0].records, groups[0].samples.len()), (1, 1000, SAMPLES_PER_REASON));
        assert_eq!(groups[0].operations, Tally { added: 990, updated: 0, deleted: 10, total: 1000 });
        assert_eq!((groups[0].message.as_str(), groups[0].samples[0].message.as_str()), ("no ***", "no ***"));
        assert_eq!(reasons.samples().len(), SAMPLES_PER_REASON);
    }

    #[test]
    fn records_of_one_code_with_other_messages_are_counted_and_each_message_has_a_sample() {
        let mut reasons = Reasons::default();
        for (position, message) in (0..).zip([["name too long"; 100], ["phone is wrong"; 100], ["no such country"; 100]].concat()) {
            let why = Rejection { code: "http_422".to_owned(), message: message.to_owned() };
            reasons.add(&why, (Op::Added, position), &Redactor::default(), sample);
        }
        let group = &reasons.groups(&Settled::default())[0];
        assert_eq!((group.message.as_str(), group.records, group.other_messages), ("name too long", 300, 200));
        let told: Vec<&str> = group.samples.iter().map(|sample| sample.message.as_str()).collect();
        assert_eq!(told, ["name too long", "name too long", "name too long", "no such country", "phone is wrong"]);
    }

    #[test]
    fn codes_out_of_data_do_not_fill_the_memory() {
        let mut reasons = Reasons::default();
        for code in 0..REASONS_MAX as u32 * 10 {
            reasons.add(&why(&code.to_string()), (Op::Added, code), &Redactor::default(), sample);
        }
        let groups = reasons.groups(&Settled::default());
        assert_eq!(groups.len(), REASONS_MAX + 1);
        assert_eq!(groups.iter().map(|group| group.records).sum::<u64>(), REASONS_MAX as u64 * 10, "none is lost from the count");
        assert_eq!(groups[0].code, OTHER);
    }
}
