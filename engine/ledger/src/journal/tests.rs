use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use futures::future::join_all;
use outflow_contract::state_store::AppendLog;
use outflow_contract::{Error, Kind, Result};
use proptest::prelude::*;

use super::*;

fn intent(sequence: u32, positions: impl Into<Positions>) -> Intent {
    let key = RequestKey(u128::from(sequence));
    Intent { sequence, origin_epoch: 7, origin_sequence: sequence, key, positions: positions.into() }
}

fn acked(sequence: u32) -> Outcome {
    Outcome { sequence, result: Answers::All(Answered::Acked) }
}

fn frames() -> Vec<Frame> {
    let refused = Answered::Refused { code: "http_422".into(), message: "ü no".into() };
    vec![
        Frame::Intent(intent(0, 0..1000)),
        Frame::Intent(intent(1, 1000..1003)),
        Frame::Outcome(acked(0)),
        Frame::Outcome(Outcome { sequence: 1, result: Answers::Each(vec![refused, Answered::NotProcessed, Answered::Unknown]) }),
        Frame::Refused(Refused { positions: [5, 9, 7].into_iter().collect(), code: "mapping".into(), message: "no".into() }),
    ]
}

fn encode(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(|f| frame::encode(f).unwrap()).collect()
}

/// A log that tells what happens to it, and waits or fails where told.
#[derive(Clone, Default)]
struct WatchedLog {
    steps: Arc<Mutex<Vec<String>>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    fail_sync: Arc<Mutex<Option<usize>>>,
    gate: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
    panics: bool,
}

impl WatchedLog {
    fn steps(&self) -> Vec<String> {
        self.steps.lock().unwrap().clone()
    }

    fn begin(&self) -> Journal {
        Journal::begin(Box::new(self.clone())).unwrap()
    }
}

impl AppendLog for WatchedLog {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        assert!(!self.panics, "made to panic");
        self.steps.lock().unwrap().push(format!("append {}", read_journal(bytes).len()));
        self.bytes.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        if let Some(gate) = &self.gate {
            gate.lock().unwrap().recv().unwrap();
        }
        let mut steps = self.steps.lock().unwrap();
        let failing = self.fail_sync.lock().unwrap().is_some_and(|n| n == steps.iter().filter(|step| *step == "sync").count());
        steps.push("sync".to_owned());
        if failing { Err(Error::io("could not make the journal durable", std::io::Error::other("disk"))) } else { Ok(()) }
    }
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(read_journal(&encode(&frames())), frames());
    assert!(read_journal(&[]).is_empty());
}

#[test]
fn a_journal_torn_at_any_byte_gives_the_frames_before_it() {
    let bytes = encode(&frames());
    let ends: Vec<usize> = (0..=frames().len()).map(|n| encode(&frames()[..n]).len()).collect();
    for cut in 0..=bytes.len() {
        let whole = ends.iter().filter(|&&end| end <= cut).count() - 1;
        let mut reader = Frames::new(&bytes[..cut]);
        assert_eq!(reader.by_ref().collect::<Vec<_>>(), frames()[..whole], "cut at {cut}");
        assert_eq!(reader.unread_bytes(), cut - ends[whole]);
    }
}

#[test]
fn a_damaged_byte_ends_the_journal_before_its_frame() {
    let bytes = encode(&frames());
    let ends: Vec<usize> = (0..=frames().len()).map(|n| encode(&frames()[..n]).len()).collect();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        let whole = ends.iter().filter(|&&end| end <= at).count() - 1;
        assert_eq!(read_journal(&damaged), frames()[..whole], "damaged at {at}");
    }
}

#[test]
fn zeros_after_a_power_cut_are_no_frames() {
    let mut bytes = encode(&frames()[..2]);
    bytes.extend([0; 4096]);
    assert_eq!(read_journal(&bytes).len(), 2);
}

#[test]
fn positions_that_cannot_be_are_refused() {
    for pairs in [vec![(u32::MAX, 2)], vec![(0, u32::MAX), (0, 1)], vec![(3, 0)]] {
        let bytes = postcard::to_stdvec(&pairs).unwrap();
        assert!(postcard::from_bytes::<Positions>(&bytes).is_err(), "{pairs:?}");
    }
}

#[test]
fn positions_keep_their_order_and_join_neighbours() {
    let positions: Positions = [4, 5, 6, 2, 3, 9].into_iter().collect();
    assert_eq!(positions.ranges(), [4..7, 2..4, 9..10]);
    assert_eq!(positions.iter().collect::<Vec<_>>(), [4, 5, 6, 2, 3, 9]);
    assert_eq!(positions.len(), 6);
    assert!(Positions::from(3..3).is_empty());
}

#[test]
fn intent_durable_first_a_permit_comes_after_the_fsync_of_its_group() {
    let (open, gate) = mpsc::channel();
    let log = WatchedLog { gate: Some(Arc::new(Mutex::new(gate))), ..WatchedLog::default() };
    let journal = log.begin();
    let mut first = std::pin::pin!(journal.intent(intent(0, 0..2)));
    let mut context = std::task::Context::from_waker(futures::task::noop_waker_ref());
    while log.steps() != ["append 1"] {
        std::thread::yield_now();
    }
    assert!(first.as_mut().poll(&mut context).is_pending(), "appended, and not yet durable");
    open.send(()).unwrap();
    assert_eq!(block_on(first).unwrap().sequence(), 0);
    open.send(()).unwrap();
    journal.close().unwrap();
}

#[test]
fn what_is_queued_during_one_fsync_is_one_group() {
    let (open, gate) = mpsc::channel();
    let log = WatchedLog { gate: Some(Arc::new(Mutex::new(gate))), ..WatchedLog::default() };
    let journal = log.begin();
    let first = journal.intent(intent(0, 0..2));
    while log.steps() != ["append 1"] {
        std::thread::yield_now();
    }
    let rest: Vec<_> = (1..10).map(|n| journal.intent(intent(n, n..n + 1))).collect();
    journal.outcome(acked(0)).unwrap();
    open.send(()).unwrap();
    open.send(()).unwrap();
    block_on(first).unwrap();
    assert!(block_on(join_all(rest)).into_iter().all(|permit| permit.is_ok()));
    assert_eq!(log.steps(), ["append 1", "sync", "append 10", "sync"]);
    journal.close().unwrap();
    assert_eq!(read_journal(&log.bytes.lock().unwrap()).len(), 11);
}

#[test]
fn who_waits_for_what_was_queued_before_goes_on_once_it_is_appended_and_before_it_is_durable() {
    let (open, gate) = mpsc::channel();
    let log = WatchedLog { gate: Some(Arc::new(Mutex::new(gate))), ..WatchedLog::default() };
    let journal = log.begin();
    block_on(journal.appended()).unwrap();
    let first = journal.intent(intent(0, 0..2));
    while log.steps() != ["append 1"] {
        std::thread::yield_now();
    }
    // In the log, and its fsync is under way.
    block_on(journal.appended()).unwrap();
    journal.outcome(acked(0)).unwrap();
    let mut behind = std::pin::pin!(journal.appended());
    let mut context = std::task::Context::from_waker(futures::task::noop_waker_ref());
    assert!(behind.as_mut().poll(&mut context).is_pending(), "queued, and not yet in the log");
    open.send(()).unwrap();
    block_on(behind).unwrap();
    assert_eq!(log.steps(), ["append 1", "sync", "append 1"]);
    block_on(first).unwrap();
    open.send(()).unwrap();
    journal.close().unwrap();
}

#[test]
fn outcomes_are_appended_without_waiting_and_durable_at_the_end() {
    let log = WatchedLog::default();
    let journal = log.begin();
    block_on(journal.intent(intent(0, 0..2))).unwrap();
    journal.outcome(acked(0)).unwrap();
    while log.steps().len() < 3 {
        std::thread::yield_now();
    }
    assert_eq!(log.steps(), ["append 1", "sync", "append 1"]);
    journal.close().unwrap();
    journal.clone().close().unwrap();
    assert_eq!(log.steps(), ["append 1", "sync", "append 1", "sync"]);
    assert!(journal.outcome(acked(0)).is_err(), "closed for good");
    assert!(block_on(journal.intent(intent(1, 0..1))).is_err());
}

#[test]
fn after_an_error_nobody_gets_a_permit_and_nothing_is_appended() {
    let log = WatchedLog::default();
    *log.fail_sync.lock().unwrap() = Some(1);
    let journal = log.begin();
    block_on(journal.intent(intent(0, 0..2))).unwrap();
    let failed = block_on(journal.intent(intent(1, 2..3))).unwrap_err();
    assert!(failed.to_string().contains("durable") && failed.kind() == Kind::Io, "{failed}");
    assert!(block_on(journal.intent(intent(2, 3..4))).is_err());
    assert_eq!(journal.outcome(acked(0)).unwrap_err().kind(), Kind::Io);
    assert!(journal.close().is_err() && journal.close().is_err());
    assert_eq!(log.steps(), ["append 1", "sync", "append 1", "sync"]);
}

#[test]
fn nobody_waits_for_ever_when_the_log_panics() {
    let log = WatchedLog { panics: true, ..WatchedLog::default() };
    let journal = log.begin();
    assert_eq!(block_on(journal.intent(intent(0, 0..2))).unwrap_err().kind(), Kind::Bug);
    assert!(journal.outcome(acked(0)).is_err());
    assert!(journal.close().is_err());
}

#[test]
fn a_journal_that_is_dropped_has_written_what_was_queued() {
    let log = WatchedLog::default();
    let journal = log.begin();
    journal.outcome(acked(0)).unwrap();
    drop(journal);
    assert_eq!(read_journal(&log.bytes.lock().unwrap()), [Frame::Outcome(acked(0))]);
}

proptest! {
    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300), good in 0..5_usize) {
        let mut journal = encode(&frames()[..good]);
        journal.extend(&bytes);
        prop_assert!(read_journal(&journal).len() >= good);
    }

    #[test]
    fn any_payload_with_a_true_checksum_can_be_read(payload in prop::collection::vec(any::<u8>(), 1..100)) {
        let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
        bytes.extend(crc32fast::hash(&payload).to_le_bytes());
        bytes.extend(&payload);
        prop_assert!(read_journal(&bytes).len() <= 1);
    }

    #[test]
    fn positions_survive_the_journal(list in prop::collection::vec(0..50_u32, 0..40)) {
        let positions: Positions = list.iter().copied().collect();
        prop_assert_eq!(positions.iter().collect::<Vec<_>>(), list);
        let bytes = postcard::to_stdvec(&positions).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Positions>(&bytes).unwrap(), positions);
    }
}

#[test]
fn damage_in_the_middle_is_told_from_an_end_that_was_cut_off() {
    let whole = encode(&frames());
    let damaged = |bytes: &[u8]| {
        let mut frames = Frames::new(bytes);
        frames.by_ref().for_each(drop);
        frames.is_damaged()
    };
    for cut in 0..=whole.len() {
        assert!(!damaged(&whole[..cut]), "cut at {cut}");
        let mut zeros = whole[..cut].to_vec();
        zeros.extend([0; 64]);
        let whole_frames = Frames::new(&whole[..cut]).count();
        // Pages that were never written are zeros: behind a whole frame they are an end like any other.
        if encode(&frames()[..whole_frames]).len() == cut {
            assert!(!damaged(&zeros), "zeros from {cut}");
        }
    }
    let last = encode(&frames()[..frames().len() - 1]).len();
    for at in 0..last {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            assert!(damaged(&bytes), "bit {bit} of byte {at}");
        }
    }
}
