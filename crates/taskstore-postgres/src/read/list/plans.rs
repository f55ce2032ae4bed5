//! How the server would run every list and count: for a test, and not there in a release build.

use std::collections::BTreeMap;

use taskstore_core::{
    DefinitionId, QueueName, Result, Status, TaskId,
    backend::{Spot, TaskFilter, TaskOrder, TaskQuery, Walk},
    clock,
};

use super::{LOOKS_MAX, named, source, text::Text, value::Value, walk};
use crate::{error::Mapped, plans::Json, session::Session};

/// Without a condition, with each, and with all of them.
fn filters() -> Vec<TaskFilter> {
    let set: [fn(&mut TaskFilter); 8] = [
        |f| f.queue = Some(QueueName::default()),
        |f| f.definition = Some(DefinitionId::new()),
        |f| f.created = Some(clock::from_micros(0)..clock::now()),
        |f| f.completed = Some(clock::from_micros(0)..clock::now()),
        |f| f.with_deleted = true,
        |f| f.queues = Some(vec![QueueName::default()]),
        |f| f.except_queues = vec![QueueName::default()],
        |f| f.deleted = Some(clock::from_micros(0)..clock::now()),
    ];
    let mut all = TaskFilter::default();
    let mut filters = vec![TaskFilter::default()];
    for set in set {
        let mut one = TaskFilter::default();
        set(&mut one);
        set(&mut all);
        filters.push(one);
    }
    filters.push(all);
    filters
}

fn by_each_status() -> impl Iterator<Item = TaskFilter> {
    let statuses = Status::ALL.map(|status| Some(vec![status]));
    statuses.into_iter().chain([None]).flat_map(|statuses| {
        filters().into_iter().map(move |mut filter| {
            filter.statuses.clone_from(&statuses);
            filter
        })
    })
}

/// Every text that a list or a count can be, once, and what it walks down.
fn texts() -> BTreeMap<String, (String, Text)> {
    let mut all = BTreeMap::new();
    let mut add = |what: String, text: Text| drop(all.insert(text.sql.clone(), (what, text)));
    for filter in by_each_status() {
        for order in TaskOrder::ALL {
            let query = TaskQuery::new(filter.clone(), order, 50);
            let waiting = [false, true].map(|newest| Walk::Waiting { newest });
            for walk in Walk::of(&query).into_iter().chain(waiting) {
                let filter = query.whole_filter();
                let conditions = source::conditions(walk, &filter);
                let spot = Spot::start();
                let text = walk::list_text(walk, &filter, &conditions, &spot, 51, LOOKS_MAX);
                add(format!("{walk:?}"), text);
            }
            add("named".to_owned(), named::text(&[TaskId::new()], &query));
        }
        for walk in Walk::of_count(&filter) {
            add(format!("count {walk:?}"), walk::count_text(walk, &filter, 10));
        }
    }
    all
}

/// What each walks down, its statement, and its plan as JSON.
pub(crate) async fn plans(session: &Session) -> Result<Vec<[String; 3]>> {
    let mut plans = Vec::new();
    for (sql, (what, text)) in texts() {
        session.snapshot_of_walks().await?;
        let params: Vec<_> = text.values.iter().map(Value::bound).collect();
        let explain = session.texts().prepare("plan", &format!("EXPLAIN (FORMAT JSON) {sql}"));
        let rows = session.composed(&explain, &params).await?;
        let lines = rows.iter().map(|row| Ok(row.try_get::<_, Json>(0).mapped()?.0));
        let plan = lines.collect::<Result<Vec<_>>>()?.concat();
        session.commit().await?;
        plans.push([what, sql, plan]);
    }
    Ok(plans)
}
