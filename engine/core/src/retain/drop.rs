//! Versions and value files: folded, copied, dropped.

use std::collections::{HashMap, HashSet};

use outflow_contract::Result;
use outflow_ledger::chain::Chain;
use outflow_ledger::changes::{EntryBuilder, EntryReader, Locator, Reasons, assemble, values_of};
use outflow_ledger::commit::{Dropped, Footing, HashFile, MappingCommit, ModelCommit, ValueFile, VersionInfo};
use outflow_ledger::retention::{self, Asked, Dated, Fate, File};
use outflow_ledger::{footing, paths, runs};

use super::members::Member;
use super::{Retained, RetainedMapping, Retaining};
use crate::commit::PendingWriter;
use crate::seal::Fold;
use crate::snapshot::{Compaction, Moved, PartReader, PartsWriter, hashes};
use crate::time::{parsed_ms, rfc3339};

impl Retaining {
    /// Applies it.
    pub(super) fn apply(&self) -> Result<Retained> {
        let mappings = self.members.iter().map(|member| RetainedMapping { mapping: member.name.clone(), ..RetainedMapping::default() });
        let mut retained = Retained { model: self.model.clone(), mappings: mappings.collect(), ..Retained::default() };
        let head: Option<ModelCommit> = Chain::of_model(&self.model).head(self.store.as_ref())?;
        self.stand_on(head.as_ref())?;
        if let Some(head) = head {
            let through = self.versions_through(&head);
            if through.is_some() || self.asked == Asked::ByHand {
                self.drop_versions(&head, through, &mut retained)?;
            }
        }
        self.sweep(&mut retained)?;
        Ok(retained)
    }

    /// Nothing is dropped of a chain that some mapping does not stand on: what is missing may come back from a backup.
    fn stand_on(&self, head: Option<&ModelCommit>) -> Result<()> {
        for member in &self.members {
            let state = self.state_of(member)?.filter(|state| state.model == self.model);
            if let Some(departure) = state.and_then(|state| footing::departs(&member.name, &state, head)) {
                return Err(departure.error(&member.name));
            }
        }
        Ok(())
    }

    /// Up to which version all go.
    pub(super) fn versions_through(&self, head: &ModelCommit) -> Option<u64> {
        let dated = |version: &VersionInfo| Dated { number: version.version, at_ms: parsed_ms(&version.at) };
        let versions: Vec<Dated> = head.versions.iter().map(dated).collect();
        retention::versions_through(&versions, self.cutoffs.versions, self.asked)
    }

    fn drop_versions(&self, head: &ModelCommit, through: Option<u64>, retained: &mut Retained) -> Result<()> {
        if let Some(through) = through {
            self.fold(head, through, retained)?;
        }
        let next = without_versions(head, through);
        retained.versions = (head.versions.len() - next.versions.len()) as u64;
        let pending = self.pending_places(head)?;
        let fates = self.fates(head, &next, &pending)?;
        let leaving = |id: &u32| matches!(fates.get(id), Some(Fate::Copied | Fate::Dropped));
        let named = pending.into_iter().filter(|place| leaving(&place.file())).collect();
        let files: HashSet<u32> = head.files.iter().map(|file| file.id).filter(leaving).collect();
        let nonce = self.clock.random();
        let path = |i: usize| paths::snapshot_file(&self.model, head.version, &format!("values-{nonce:016x}-{i:03}.parquet"));
        let compaction = Compaction { store: self.store.as_ref(), head, leaving: files, pending: named, path: &path };
        let moved = compaction.copy()?;
        retained.copied = moved.records();
        let mut next = next;
        if moved.records() > 0 {
            // Beside what is there: until pending records name the copies, the files that they name are listed.
            let hashes = vec![self.hashes(head, &moved)?];
            let beside = ModelCommit { files: [head.files.clone(), moved.files.clone()].concat(), hashes, ..head.clone() };
            let beside = ModelCommit { next_file: head.next_file + moved.files.len() as u32, ..beside };
            let beside = self.commit_model(beside)?;
            self.relocate(&moved, beside.number)?;
            next = without_versions(&beside, through);
        }
        for file in &mut next.files {
            if matches!(fates.get(&file.id), Some(Fate::Copied | Fate::Retired)) {
                file.retired.get_or_insert(next.version);
            }
        }
        next.files.retain(|file| fates.get(&file.id) != Some(&Fate::Dropped));
        if (&next.files, &next.versions, &next.hashes) != (&head.files, &head.versions, &head.hashes) {
            self.commit_model(next)?;
        }
        Ok(())
    }

    /// Rule 14: what goes is composed onto what is pending first.
    fn fold(&self, head: &ModelCommit, through: u64, retained: &mut Retained) -> Result<()> {
        for (member, retained) in self.members.iter().zip(&mut retained.mappings) {
            let Some(state) = self.state_of(member)?.or_else(|| member.fresh.clone()) else { continue };
            if state.ended.is_some() || state.model != self.model {
                continue;
            }
            let store = self.store.as_ref();
            let epoch = runs::next_epoch(store, &member.name)?;
            let nonce = self.clock.random();
            let fold = Fold { store, head, mapping: &member.name, state: &state, shared: member.shared, epoch, nonce };
            let Some(to) = fold.target(through) else { continue };
            let folded = fold.write(to)?;
            retained.folded = Some(folded.pending.iter().map(|file| file.counts.total()).sum());
            self.commit_mapping(&member.name, folded)?;
        }
        Ok(())
    }

    /// The snapshot as a base of its own, which names the copies.
    fn hashes(&self, head: &ModelCommit, moved: &Moved) -> Result<HashFile> {
        let path = paths::snapshot_file(&self.model, head.version, &format!("hashes-{:016x}", self.clock.random()));
        hashes::rewrite(self.store.as_ref(), head, &path, |place| moved.place(place))
    }

    /// What becomes of the value files once the versions of `head` are those of `next`.
    fn fates(&self, head: &ModelCommit, next: &ModelCommit, pending: &[Locator]) -> Result<HashMap<u32, Fate>> {
        let mut indexed: HashMap<u32, u64> = HashMap::new();
        hashes::for_each(self.store.as_ref(), head, |record| {
            *indexed.entry(record.at.file()).or_default() += 1;
            Ok(())
        })?;
        let mut by_pending: HashMap<u32, u64> = HashMap::new();
        for place in pending {
            *by_pending.entry(place.file()).or_default() += 1;
        }
        let of_version: HashSet<u32> = next.versions.iter().flat_map(|version| version.files.iter().copied()).collect();
        let file = |file: &ValueFile| File {
            id: file.id,
            rows: file.rows,
            indexed: indexed.get(&file.id).copied().unwrap_or_default(),
            pending: by_pending.get(&file.id).copied().unwrap_or_default(),
            of_version: of_version.contains(&file.id),
            retired: file.retired,
        };
        let files: Vec<File> = next.files.iter().map(file).collect();
        let oldest = next.versions.first().map_or(next.version + 1, |version| version.version);
        Ok(files.iter().map(|file| file.id).zip(retention::file_fates(&files, oldest, next.version)).collect())
    }

    /// The places that pending records of this model's mappings name, each once.
    fn pending_places(&self, head: &ModelCommit) -> Result<Vec<Locator>> {
        let kept: HashSet<u32> = head.files.iter().map(|file| file.id).collect();
        let mut places = Vec::new();
        for member in &self.members {
            let state = self.state_of(member)?.filter(|state| state.ended.is_none());
            for file in state.iter().flat_map(|state| &state.pending) {
                for batch in PartReader::open(self.store.as_ref(), &file.path)?.narrow().read()? {
                    let batch = batch?;
                    let entries = EntryReader::new(&batch)?;
                    places.extend((0..entries.len()).filter_map(|i| entries.get(i).1).filter(|place| kept.contains(&place.file())));
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    /// Lets pending records name the copies of what was there before them, which the model has since `commit`.
    fn relocate(&self, moved: &Moved, commit: u64) -> Result<()> {
        for member in &self.members {
            let Some(state) = self.state_of(member)?.filter(|state| state.ended.is_none()) else { continue };
            if let Some(next) = self.relocated(member, &state, moved)? {
                let version_id = next.footing.as_ref().and_then(|footing| footing.version_id.clone());
                let footing = Some(Footing { commit, version_id });
                self.commit_mapping(&member.name, MappingCommit { footing, ..next })?;
            }
        }
        Ok(())
    }

    fn relocated(&self, member: &Member, state: &MappingCommit, moved: &Moved) -> Result<Option<MappingCommit>> {
        let store = self.store.as_ref();
        let (epoch, nonce) = (runs::next_epoch(store, &member.name)?, self.clock.random());
        let path = |i: usize| paths::run_file(&member.name, epoch, &paths::part("pending", nonce, i as u32));
        let (mut writer, mut any) = (PendingWriter::new(PartsWriter::new(store, path)), false);
        for file in &state.pending {
            for batch in PartReader::open(store, &file.path)?.read()? {
                let batch = batch?;
                let entries = EntryReader::new(&batch)?;
                let mut builder = EntryBuilder::of_pending();
                for i in 0..entries.len() {
                    let (entry, before_at) = entries.get(i);
                    let place = before_at.map(|place| moved.place(place));
                    any |= place != before_at;
                    builder.push(&entry, place);
                }
                writer.write(&Reasons::of(&batch)?.beside(&assemble(builder.finish(), &values_of(&batch)?)?)?)?;
            }
        }
        if !any {
            return Ok(None);
        }
        let (pending, ahead) = writer.finish()?;
        Ok(Some(MappingCommit { number: state.number + 1, pending, ahead, carried: None, closed_through: epoch, ..state.clone() }))
    }

    pub(super) fn state_of(&self, member: &Member) -> Result<Option<MappingCommit>> {
        Chain::of_mapping(&member.name).head(self.store.as_ref())
    }

    fn commit_mapping(&self, name: &str, next: MappingCommit) -> Result<()> {
        let next = MappingCommit { at: rfc3339(self.clock.wall()), ..next };
        Chain::of_mapping(name).commit(self.store.as_ref(), &next, self.clock.random(), &format!("mapping `{name}`"))
    }

    fn commit_model(&self, next: ModelCommit) -> Result<ModelCommit> {
        let next = ModelCommit { number: next.number + 1, at: rfc3339(self.clock.wall()), ..next };
        let owner = format!("model `{}`", self.model);
        Chain::of_model(&self.model).commit(self.store.as_ref(), &next, self.clock.random(), &owner)?;
        Ok(next)
    }
}

/// The commit without the versions up to `through`.
fn without_versions(head: &ModelCommit, through: Option<u64>) -> ModelCommit {
    let Some(through) = through else { return head.clone() };
    let versions = head.versions.iter().filter(|version| version.version > through).cloned().collect();
    let dropped = Dropped { through, id: head.version_id(through).cloned() };
    ModelCommit { versions, dropped, ..head.clone() }
}
