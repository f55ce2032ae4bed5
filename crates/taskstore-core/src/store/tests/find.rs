//! Many tasks, listed and counted.

use std::time::Duration;

use super::*;
use crate::{
    Status, TaskId,
    backend::{Counted, Cursor, TaskOrder},
    clock,
};

fn ids(page: &crate::backend::Page<crate::Task>) -> Vec<TaskId> {
    page.items.iter().map(|task| task.id).collect()
}

#[tokio::test]
async fn a_list_is_narrowed_word_by_word() {
    let (store, _) = store().await;
    let mail = store.enqueue::<Count>(1).queue("mail").await.unwrap();
    let paused = store.enqueue::<Count>(2).queue("mail").await.unwrap();
    let other = store.enqueue::<Count>(3).await.unwrap();
    store.tasks().pause(paused).await.unwrap();
    let tasks = store.tasks();
    assert_eq!(ids(&tasks.all().list().await.unwrap()), [other, paused, mail]);
    assert_eq!(ids(&tasks.queue("mail").oldest_first().list().await.unwrap()), [mail, paused]);
    assert_eq!(ids(&tasks.queue("").list().await.unwrap()), [other], "the queue default");
    let found = tasks.queue("mail").status(Status::Failed).status(Status::Paused);
    assert_eq!(ids(&found.list().await.unwrap()), [paused]);
    assert_eq!(found.count().await.unwrap(), Counted::Exactly(1));
    let waiting = tasks.status(Status::Queued).claim_order().list().await.unwrap();
    assert_eq!(ids(&waiting), [other, mail], "queue by queue");
    assert_eq!(ids(&tasks.ids([mail]).ids([other]).list().await.unwrap()), [other, mail]);
    tasks.cancel(mail).await.unwrap();
    assert_eq!(ids(&tasks.all().last_completed_first().list().await.unwrap()), [mail]);
    let hour = Duration::from_secs(3600);
    let now = clock::now();
    let lately = tasks.all().created(now - hour..now + hour);
    assert_eq!(lately.clone().count().await.unwrap().seen(), 3);
    assert_eq!(lately.completed(now - hour..now + hour).count().await.unwrap().seen(), 1);
    tasks.soft_delete(mail).await.unwrap();
    assert_eq!(tasks.queue("mail").count().await.unwrap().seen(), 1);
    assert_eq!(tasks.queue("mail").with_deleted().count().await.unwrap().seen(), 2);
    assert_eq!(tasks.definition("count").count_up_to(1).await.unwrap(), Counted::AtLeast(1));
}

#[tokio::test]
async fn pages_follow_each_other_until_there_is_none() {
    let (store, _) = store().await;
    let mut all = Vec::new();
    for n in 0..5 {
        all.push(store.enqueue::<Count>(n).await.unwrap());
    }
    let find = store.tasks().all().oldest_first().limit(2);
    let mut seen = Vec::new();
    let mut next = None;
    loop {
        let page = find.clone().after(next).list().await.unwrap();
        seen.push(page.items.len());
        all.drain(..page.items.len())
            .zip(ids(&page))
            .for_each(|(one, other)| assert_eq!(one, other));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen, [2, 2, 1]);
}

#[tokio::test]
async fn bad_input_is_remembered_and_named() {
    let (store, spy) = store().await;
    let tasks = store.tasks();
    let bad = tasks.queue("two words").definition("").status(Status::Failed);
    assert_eq!(field(bad.list().await), "queue", "the first one");
    assert_eq!(field(bad.count().await), "queue");
    assert_eq!(field(tasks.definition("").list().await), "alias");
    assert_eq!(spy.count("tasks") + spy.count("count"), 0, "nobody was asked");
    assert_eq!(field(tasks.all().limit(0).list().await), "limit");
    assert_eq!(field(tasks.all().limit(1_001).list().await), "limit");
    let garbage = tasks.all().after(Cursor("garbage".to_owned()));
    assert_eq!(field(garbage.list().await), "cursor");
    let now = clock::now();
    let backwards = tasks.all().created(now..now - Duration::from_secs(1));
    assert_eq!(field(backwards.order(TaskOrder::ClaimOrder).list().await), "created");
    let missing = tasks.definition("nobody.has.it").list().await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { what: "task definition", .. }), "{missing}");
}
