//! The suite of `Source`: it promises a schema and keeps it, is complete or says so, and ends after an error.

use futures::StreamExt;
use outflow_contract::source::{Query, Source};

/// What `source` violates with a query that returns `expected` records.
pub async fn complete(source: &dyn Source, query: &Query, expected: usize) -> Vec<String> {
    let mut violated = Vec::new();
    let promised = match source.schema(query).await {
        Ok(schema) => schema,
        Err(error) => return vec![format!("no schema: {error}")],
    };
    // Twice: reading leaves nothing behind.
    for _ in 0..2 {
        let stream = match source.stream(query).await {
            Ok(stream) => stream,
            Err(error) => return vec![format!("no stream: {error}")],
        };
        if stream.schema != promised {
            violated.push(format!("the stream's schema is not the one promised: {:?}, {promised:?}", stream.schema));
        }
        let (mut records, schema) = (0, stream.schema.clone());
        let mut batches = stream.into_batches();
        while let Some(batch) = batches.next().await {
            match batch {
                Ok(batch) if batch.schema() != schema => violated.push("a batch has another schema than its stream".to_owned()),
                Ok(batch) => records += batch.num_rows(),
                Err(error) => violated.push(format!("the stream fails: {error}")),
            }
        }
        if records != expected {
            violated.push(format!("{records} records instead of {expected}"));
        }
    }
    // Dropped after one batch: nothing hangs, nothing breaks.
    if let Ok(stream) = source.stream(query).await {
        drop(stream.into_batches().next().await);
    }
    if source.probe().await.is_ok_and(|probe| probe.version.is_empty()) {
        violated.push("probe does not say what it reached".to_owned());
    }
    violated
}

/// What `source` violates with a query that cannot be answered whole: it has to end in an error, and nothing may come
/// after that. Returns the error's text where all is well.
pub async fn broken(source: &dyn Source, query: &Query) -> Result<String, String> {
    let mut batches = match source.stream(query).await {
        Ok(stream) => stream.into_batches(),
        Err(error) => return Ok(format!("{error:?}")),
    };
    let mut records = 0;
    while let Some(batch) = batches.next().await {
        match batch {
            Ok(batch) => records += batch.num_rows(),
            Err(error) => {
                return match batches.next().await {
                    None => Ok(format!("{error:?}")),
                    Some(_) => Err(format!("something comes after the error: {error}")),
                };
            }
        }
    }
    Err(format!("the stream ends as if it were complete, after {records} records"))
}
