//! The rules that can be left out, each where the real function's result is undone; nothing in the crate knows of it.

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A rule of the state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

rules! {
    /// 2: doubt does not cancel when the state comes back to what it was.
    UnknownNeverCancels = "unknown-never-cancels",
    /// 3
    FoldKeepsVersion = "fold-keeps-version",
    /// 4
    NoDeleteOfAPresentRow = "no-delete-of-a-present-row",
    /// 5
    UnselectedIsSeen = "unselected-is-seen",
    /// 6: the cursor becomes the sealed version, not the head.
    CursorIsWhatWasSealed = "cursor-is-what-was-sealed",
    /// 6
    VersionDurableFirst = "version-durable-first",
    /// 6
    JournalFoldedOnce = "journal-folded-once",
    /// 7
    IntentDurableFirst = "intent-durable-first",
    /// 8
    OutcomeIsTerminal = "outcome-is-terminal",
    /// 8: after one unanswered attempt only an acknowledgement is definite.
    DoubtOutlastsRefusal = "doubt-outlasts-refusal",
    /// 9
    UnresolvedIsUnknown = "unresolved-is-unknown",
    /// 9
    AdvanceByAcks = "advance-by-acks",
    /// 11
    HotOutlivesAck = "hot-outlives-ack",
    /// 11, 15
    HotSurvivesReset = "hot-survives-reset",
    /// 12
    RecoveryIsHot = "recovery-is-hot",
    /// 13: waits at all.
    Settle = "settle",
    /// 13: waits before it seals, and not only before it sends.
    SealedOnlyWhenCold = "sealed-only-when-cold",
    /// 14
    RecoverBeforeFold = "recover-before-fold",
    /// 14
    FoldIgnoresSelection = "fold-ignores-selection",
    /// 14
    FoldTakesTheLock = "fold-takes-the-lock",
    /// 15
    ResetMakesUnknown = "reset-makes-unknown",
    /// 15
    RecoverBeforeReset = "recover-before-reset",
    /// 16
    BaselineRecoversAndWaits = "baseline-recovers-and-waits",
    /// 17
    RejectedKeepsEntry = "rejected-keeps-entry",
    /// 18
    SiblingsRecoverFirst = "siblings-recover-first",
    /// 18
    HotIsPerDestination = "hot-is-per-destination",
    /// 19
    SeenStepByStep = "seen-step-by-step",
    /// 20
    NoCancelAmongSiblings = "no-cancel-among-siblings",
    /// 21
    KeySurvivesCrash = "key-survives-crash",
    /// 21
    KeyHasFirstIntent = "key-has-first-intent",
    /// 21
    LatestRequestOnly = "latest-request-only",
    /// 21: a promise and not a rule: that a batch is deduplicated record by record.
    OneRecordPerRequestKey = "one-record-per-request-key",
    /// 22
    IdHasVersion = "id-has-version",
    /// 22
    IdHasGeneration = "id-has-generation",
    /// 22, for a replay.
    ReplayRaisesGeneration = "replay-raises-generation",
    /// 12, 18: a replay recovers first.
    RecoverBeforeReplay = "recover-before-replay",
    /// 13: a replay waits.
    ReplayWaits = "replay-waits",
    /// 23: what was sent beside its sync, and not what the cursor says.
    WhatWasReplayedIsBelieved = "what-was-replayed-is-believed",
    /// 24
    NewerIsKeptBack = "newer-is-kept-back",
    /// 24, for mappings that share a destination: what only another would correct is not sent.
    SiblingsAreNotLeftWithIt = "siblings-are-not-left-with-it",
    /// 23, for a record that is sent ahead of its sync: what is left of it counts, although there is no cursor yet.
    WorkAheadIsKept = "work-ahead-is-kept",
    /// Likewise: versions that its entry already holds are not composed onto it once more.
    WorkAheadIsComposedOnce = "work-ahead-is-composed-once",
    /// Likewise: retention leaves it, acknowledged or not, while its state is from beyond what is folded.
    FoldKeepsWorkAhead = "fold-keeps-work-ahead",
    /// For a record that is set aside: that ends when it changes.
    SetAsideEndsWithAChange = "set-aside-ends-with-a-change",
    /// For a record that is set aside: it is not delivered.
    SetAsideIsNotDelivered = "set-aside-is-not-delivered",
    /// For a record that is set aside: somebody who asks for it gets it.
    SetAsideUntilAskedFor = "set-aside-until-asked-for",
    /// 21, for mappings that share a destination: a state that was left and came back is another.
    KeyIsForOneVersion = "key-is-for-one-version",
    /// 21, for an edited mapping: a key is used again for the same bytes only.
    SameBytesOnly = "same-bytes-only",
    /// 21 and 22, for a renamed mapping: ids keep the origin.
    IdOutlivesRenaming = "id-outlives-renaming",
    /// 21, for a renamed mapping: its runs go on counting.
    EpochsGoOn = "epochs-go-on",
    /// 21, for a request that is throttled: if it was built again, it keeps its first key.
    ThrottledKeepsItsKey = "throttled-keeps-its-key",
    /// 8, for a request that is divided: what goes out again has an intent of its own.
    RefusedGoesOutAnew = "refused-goes-out-anew",
}
