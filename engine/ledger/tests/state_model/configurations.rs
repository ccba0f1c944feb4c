//! The configurations, all of which hold; and those in which one rule is left out, none of which does.

use outflow_contract::Selection;

use crate::config::{BASE, Config, Repeats};
use crate::rules::Rule;

const ADDED: &[Selection] = &[Selection::Added];
const UPDATED: &[Selection] = &[Selection::Updated];
const UPSERTS: &[Selection] = &[Selection::AddedOrUpdated];
const DELETED: &[Selection] = &[Selection::Deleted];
const ALL: &[Selection] = &[Selection::All];
const UPSERTS_AND_UPDATED: &[Selection] = &[Selection::AddedOrUpdated, Selection::Updated];
const UPSERTS_AND_DELETED: &[Selection] = &[Selection::AddedOrUpdated, Selection::Deleted];
const EACH_APART: &[Selection] = &[Selection::Added, Selection::Updated, Selection::Deleted];

const DEEP: Config = BASE.edits(4).runs(4);
const DEEPER: Config = BASE.edits(5).runs(5);
const ADMIN: Config = BASE.attempts(1).reset().baseline().retention();
const PAIR: Config = DEEP.attempts(1).shared(UPSERTS_AND_DELETED);
const TRIO: Config = BASE.attempts(1).shared(EACH_APART);
const BY_KEY: Config = BASE.repeats(Repeats::DropsRequests);
const BY_ID: Config = BASE.repeats(Repeats::DropsRecords);
const AHEAD: Config = BASE.attempts(1).ones(1);
const ASIDE: Config = BASE.attempts(1).aside();
const AGAIN: Config = BASE.attempts(1).replay();

/// What the reference looks at.
pub(crate) const CONFIGURATIONS: &[Config] = &[
    DEEP.of(UPSERTS).named("one mapping, added_or_updated"),
    DEEP.of(ADDED).named("one mapping, added"),
    DEEPER.of(UPDATED).named("one mapping, updated"),
    DEEPER.of(DELETED).named("one mapping, deleted"),
    DEEP.of(ALL).named("one mapping, all"),
    BASE.of(ALL).named("one mapping, all, three runs").short(),
    ADMIN.of(UPSERTS).named("reset, baseline, retention, added_or_updated"),
    ADMIN.of(ADDED).named("reset, baseline, retention, added"),
    ADMIN.of(UPDATED).named("reset, baseline, retention, updated").short(),
    ADMIN.of(DELETED).named("reset, baseline, retention, deleted").short(),
    ADMIN.of(ALL).named("reset, baseline, retention, all"),
    BASE.of(ALL).attempts(1).rejects().named("rejected rows, all").short(),
    BASE.of(ALL).retention().parallel().named("head moves during the run, retention"),
    BASE.keys(2).runs(2).attempts(1).named("two keys"),
    BASE.batch().attempts(1).named("two keys in one request"),
    BASE.of(UPSERTS_AND_UPDATED).attempts(1).retention().parallel().named("two mappings, one model, retention"),
    BY_KEY.edits(4).named("deduplicates by request key"),
    ADMIN.repeats(Repeats::DropsRequests).named("deduplicates by request key, reset, baseline, retention"),
    BY_KEY.batch().runs(2).attempts(1).repeats_allowed().named("deduplicates by request key, two keys in one request").short(),
    BY_ID.edits(4).named("deduplicates by record id"),
    ADMIN.repeats(Repeats::DropsRecords).named("deduplicates by record id, reset, baseline, retention"),
    BY_ID.batch().runs(2).attempts(1).named("deduplicates by record id, two keys in one request").short(),
    PAIR.named("upserts and deletes share a destination"),
    PAIR.runs(3).retention().named("upserts and deletes share a destination, retention"),
    TRIO.named("added, updated and deleted share a destination"),
];

/// What the reference only argues: one record ahead of its sync, renaming, edited mappings, parts of a refused request, pauses; and
/// what is done by hand among siblings.
pub(crate) const EXTENSIONS: &[Config] = &[
    AHEAD.of(UPSERTS).named("ahead, added_or_updated").short(),
    AHEAD.of(ALL).attempts(2).named("ahead, all"),
    AHEAD.of(ADDED).named("ahead, added"),
    AHEAD.of(UPDATED).edits(4).named("ahead, updated"),
    AHEAD.of(DELETED).edits(4).named("ahead, deleted").short(),
    AHEAD.of(ALL).ones(2).runs(2).named("ahead twice, all"),
    AHEAD.of(ALL).reset().retention().named("ahead, reset, retention, all"),
    AHEAD.of(UPSERTS).reset().baseline().retention().named("ahead, reset, baseline, retention, added_or_updated"),
    AHEAD.keys(2).of(ALL).runs(2).named("ahead, two keys, all"),
    AHEAD.repeats(Repeats::DropsRequests).named("ahead, deduplicates by request key"),
    AHEAD.repeats(Repeats::DropsRecords).reset().named("ahead, deduplicates by record id, reset"),
    AHEAD.repeats(Repeats::DropsRecords).of(ALL).reset().named("ahead, deduplicates by record id, reset, all"),
    AHEAD.shared(UPSERTS_AND_DELETED).edits(4).named("ahead, upserts and deletes share a destination"),
    AHEAD.shared(UPSERTS_AND_DELETED).repeats(Repeats::DropsRecords).named("ahead, siblings, deduplicates by record id"),
    AHEAD.shared(UPSERTS_AND_DELETED).runs(2).repeats(Repeats::DropsRequests).named("ahead, siblings, deduplicates by request key").short(),
    AHEAD.shared(EACH_APART).named("ahead, added, updated and deleted share a destination"),
    AHEAD.shared(UPSERTS_AND_DELETED).runs(2).reset().named("ahead, siblings, reset"),
    AHEAD.shared(UPSERTS_AND_DELETED).retention().named("ahead, siblings, retention"),
    BASE.attempts(1).shared(UPSERTS_AND_DELETED).reset().retention().named("siblings, reset, retention"),
    PAIR.runs(3).repeats(Repeats::DropsRequests).named("siblings, deduplicate by request key"),
    PAIR.runs(3).repeats(Repeats::DropsRecords).named("siblings, deduplicate by record id"),
    TRIO.repeats(Repeats::DropsRequests).named("added, updated and deleted siblings, deduplicate by request key"),
    TRIO.repeats(Repeats::DropsRecords).named("added, updated and deleted siblings, deduplicate by record id"),
    TRIO.reset().named("added, updated and deleted siblings, reset"),
    BASE.attempts(1).shared(UPSERTS_AND_DELETED).pause().named("siblings, pause"),
    BASE.of(ALL).pause().reset().attempts(1).named("pause, reset, all"),
    BASE.repeats(Repeats::DropsRequests).rename().named("renaming, deduplicates by request key"),
    BASE.repeats(Repeats::DropsRecords).rename().reset().attempts(1).named("renaming, deduplicates by record id, reset").short(),
    PAIR.edits(3).runs(3).rename().named("siblings, renaming"),
    BASE.repeats(Repeats::DropsRequests).remap().named("edited mapping, deduplicates by request key"),
    BASE.repeats(Repeats::DropsRecords).remap().named("edited mapping, deduplicates by record id"),
    BASE.of(ALL).remap().attempts(1).reset().named("edited mapping, reset, all"),
    BASE.batch().runs(2).parts().named("parts of a request, upserts"),
    BASE.batch().runs(2).attempts(1).parts().repeats(Repeats::DropsRecords).named("parts of a request, by record id"),
    BASE.batch().runs(2).attempts(1).parts().repeats(Repeats::DropsRequests).repeats_allowed().named("parts of a request, by request key"),
    BASE.repeats(Repeats::DropsRequests).parts().named("throttled and sent again, by request key"),
    ASIDE.of(UPSERTS).named("set aside, added_or_updated").short(),
    ASIDE.of(ADDED).named("set aside, added"),
    ASIDE.of(UPDATED).edits(4).runs(4).named("set aside, updated"),
    ASIDE.of(DELETED).edits(4).named("set aside, deleted").short(),
    ASIDE.of(ALL).attempts(2).named("set aside, all"),
    ASIDE.of(ALL).reset().baseline().retention().runs(2).named("set aside, reset, baseline, retention, all"),
    ASIDE.of(ALL).ones(1).runs(2).named("set aside, one sent ahead, all"),
    ASIDE.batch().runs(2).repeats(Repeats::DropsRequests).repeats_allowed().named("set aside, two keys in one request, by request key"),
    ASIDE.repeats(Repeats::DropsRequests).named("set aside, deduplicates by request key"),
    ASIDE.repeats(Repeats::DropsRecords).rename().named("set aside, deduplicates by record id, renaming"),
    ASIDE.shared(UPSERTS_AND_DELETED).named("set aside, upserts and deletes share a destination"),
    ASIDE.shared(EACH_APART).runs(2).named("set aside, added, updated and deleted share a destination"),
    ASIDE.shared(UPSERTS_AND_DELETED).runs(2).retention().named("set aside, siblings, retention"),
];

/// An earlier sync once more.
pub(crate) const REPLAYS: &[Config] = &[
    AGAIN.of(UPSERTS).named("replay, added_or_updated"),
    AGAIN.of(ALL).named("replay, all"),
    AGAIN.of(ADDED).named("replay, added").short(),
    AGAIN.of(UPDATED).edits(4).named("replay, updated"),
    AGAIN.of(DELETED).edits(4).named("replay, deleted").short(),
    AGAIN.of(ALL).runs(2).attempts(2).named("replay, all, two attempts").short(),
    AGAIN.of(ALL).runs(2).reset().named("replay, reset, all"),
    AGAIN.of(UPSERTS).runs(2).reset().baseline().named("replay, reset, baseline, added_or_updated"),
    AGAIN.of(ALL).runs(2).retention().named("replay, retention, all"),
    AGAIN.of(ALL).runs(2).ones(1).named("replay, ahead, all"),
    AGAIN.of(UPSERTS_AND_UPDATED).runs(2).retention().named("replay, two mappings, one model, retention"),
    AGAIN.keys(2).of(ALL).runs(2).edits(2).named("replay, two keys, all"),
    AGAIN.batch().runs(2).edits(2).named("replay, two keys in one request"),
    AGAIN.repeats(Repeats::DropsRequests).named("replay, deduplicates by request key"),
    AGAIN.repeats(Repeats::DropsRecords).named("replay, deduplicates by record id"),
    AGAIN.repeats(Repeats::DropsRecords).of(ALL).runs(2).reset().named("replay, deduplicates by record id, reset, all"),
    AGAIN.shared(UPSERTS_AND_DELETED).named("replay, upserts and deletes share a destination"),
    AGAIN.shared(UPSERTS_AND_DELETED).runs(2).retention().named("replay, siblings, retention"),
    AGAIN.shared(UPSERTS_AND_DELETED).runs(2).repeats(Repeats::DropsRecords).named("replay, siblings, deduplicate by record id").short(),
    AGAIN.shared(EACH_APART).named("replay, added, updated and deleted share a destination"),
    AGAIN.of(ALL).runs(2).remap().named("replay, edited mapping, all"),
    AGAIN.repeats(Repeats::DropsRequests).runs(2).rename().named("replay, renaming, deduplicates by request key"),
    AGAIN.of(ALL).runs(2).pause().named("replay, pause, all"),
];

const fn without(rule: Rule, config: Config) -> Config {
    Config { without: Some(rule), short: true, ..config }
}

/// Each without the rule that it names. All of them are explored in every test run: they end early.
pub(crate) const MUTANTS: &[Config] = &[
    without(Rule::UnresolvedIsUnknown, BASE),
    without(Rule::IntentDurableFirst, BASE),
    without(Rule::AdvanceByAcks, BASE),
    without(Rule::DoubtOutlastsRefusal, BASE),
    without(Rule::OutcomeIsTerminal, BASE),
    without(Rule::UnknownNeverCancels, BASE),
    without(Rule::JournalFoldedOnce, BASE),
    without(Rule::Settle, BASE),
    without(Rule::HotOutlivesAck, BASE),
    without(Rule::RecoveryIsHot, BASE),
    without(Rule::VersionDurableFirst, BASE),
    without(Rule::CursorIsWhatWasSealed, BASE.parallel()),
    without(Rule::RejectedKeepsEntry, BASE.rejects()),
    without(Rule::NoDeleteOfAPresentRow, BASE.of(DELETED).edits(4)),
    without(Rule::NoDeleteOfAPresentRow, BASE.of(ALL)),
    without(Rule::SealedOnlyWhenCold, DEEPER.of(UPDATED)),
    without(Rule::UnselectedIsSeen, BASE.of(UPDATED)),
    without(Rule::UnselectedIsSeen, BASE.of(DELETED)),
    without(Rule::FoldIgnoresSelection, BASE.of(ADDED).edits(4).retention()),
    without(Rule::FoldTakesTheLock, BASE.retention().parallel()),
    without(Rule::RecoverBeforeFold, BASE.of(UPSERTS_AND_UPDATED).retention()),
    without(Rule::FoldKeepsVersion, BY_ID.keys(2).runs(2).retention()),
    without(Rule::ResetMakesUnknown, BASE.of(ALL).reset()),
    without(Rule::RecoverBeforeReset, BASE.reset()),
    without(Rule::HotSurvivesReset, BASE.reset()),
    without(Rule::BaselineRecoversAndWaits, BASE.baseline()),
    without(Rule::BaselineRecoversAndWaits, BASE.of(UPDATED).baseline()),
    without(Rule::KeySurvivesCrash, BY_KEY),
    without(Rule::KeyHasFirstIntent, BY_KEY),
    without(Rule::LatestRequestOnly, BY_KEY),
    without(Rule::IdHasVersion, BY_ID),
    without(Rule::IdHasGeneration, BY_ID.reset()),
    without(Rule::SeenStepByStep, PAIR),
    without(Rule::HotIsPerDestination, PAIR),
    without(Rule::SiblingsRecoverFirst, PAIR),
    without(Rule::NoCancelAmongSiblings, TRIO),
    without(Rule::OneRecordPerRequestKey, BY_KEY.batch().runs(2).attempts(1)),
    // Not in the reference.
    without(Rule::WorkAheadIsKept, AHEAD.of(ALL)),
    without(Rule::WorkAheadIsComposedOnce, AHEAD.shared(UPSERTS_AND_DELETED).runs(2).repeats(Repeats::DropsRequests)),
    without(Rule::FoldKeepsWorkAhead, AHEAD.of(ALL).retention()),
    without(Rule::SetAsideEndsWithAChange, ASIDE),
    without(Rule::SetAsideIsNotDelivered, ASIDE),
    without(Rule::SetAsideUntilAskedFor, ASIDE),
    without(Rule::ReplayRaisesGeneration, AGAIN.repeats(Repeats::DropsRecords)),
    without(Rule::RecoverBeforeReplay, AGAIN.of(ALL)),
    without(Rule::ReplayWaits, AGAIN.of(ALL)),
    without(Rule::WhatWasReplayedIsBelieved, AGAIN.of(ALL)),
    without(Rule::NewerIsKeptBack, AGAIN.of(ALL)),
    without(Rule::SiblingsAreNotLeftWithIt, AGAIN.shared(UPSERTS_AND_DELETED)),
    without(Rule::KeyIsForOneVersion, BASE.attempts(1).shared(UPSERTS_AND_DELETED).repeats(Repeats::DropsRequests)),
    without(Rule::SameBytesOnly, BY_KEY.remap()),
    without(Rule::IdOutlivesRenaming, BY_KEY.rename()),
    without(Rule::IdOutlivesRenaming, BY_ID.rename()),
    without(Rule::EpochsGoOn, BY_KEY.rename().attempts(1)),
    without(Rule::ThrottledKeepsItsKey, BY_KEY.parts().attempts(1)),
    without(Rule::RefusedGoesOutAnew, BASE.batch().runs(2)),
];
