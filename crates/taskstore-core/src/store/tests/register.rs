//! Handlers on their way into a store.

use super::*;

struct Renamed;

impl crate::TaskHandler for Renamed {
    const ALIAS: &'static str = "renamed";
    const FORMER_ALIASES: &'static [&'static str] = &["count", "never.made"];
    const TITLE: &'static str = "A title";
    const DESCRIPTION: &'static str = "A description";
    type Params = u64;
    type Output = ();

    async fn run(&self, _: TaskContext, _: u64) -> TaskResult<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_first_handler_of_an_alias_makes_its_definition() {
    let spy = Spy::default();
    let made = Store::new(spy.clone()).register(Renamed).await.unwrap();
    assert_eq!(definition(&spy, "renamed").await.unwrap(), made);
    assert_eq!((&*made.title, &*made.description), ("A title", "A description"));
}

#[tokio::test]
async fn another_process_finds_the_definition_and_leaves_its_texts_alone() {
    let spy = Spy::default();
    let made = Store::new(spy.clone()).register(Renamed).await.unwrap();
    change(&spy, "renamed", |definition| definition.title = "By an operator".into()).await;

    let found = Store::new(spy.clone()).register_existing(Renamed).await.unwrap();
    assert_eq!((found.id, &*found.title), (made.id, "By an operator"));
}

#[tokio::test]
async fn two_processes_that_register_at_once_get_the_same_definition() {
    let spy = Spy::default();
    let first = Store::new(spy.clone()).register(Renamed).await.unwrap();
    // The second one looked before the first one stored.
    spy.fail("definition", Fault::Blind);
    let second = Store::new(spy.clone()).register(Renamed).await.unwrap();
    assert_eq!(second.id, first.id);
    assert_eq!(spy.count("put_definition"), 2);
}

#[tokio::test]
async fn an_alias_has_one_handler_in_a_store() {
    let (store, spy) = store().await;
    let before = spy.count("definition");
    let again = store.register_fn("count", count).await.unwrap_err();
    assert_eq!(again.to_string(), "handler count exists already");
    let former = store.register(Renamed).await.unwrap_err();
    assert_eq!(former.to_string(), "handler count exists already", "its former alias");
    assert_eq!(spy.count("definition"), before, "refused without asking the database");
    assert!(definition(&spy, "renamed").await.is_none());
}

#[tokio::test]
async fn an_existing_definition_is_required_when_asked_for() {
    let spy = Spy::default();
    let store = Store::new(spy.clone());
    assert_eq!(not_found(store.register_existing(Renamed).await), "task definition");
    assert!(definition(&spy, "renamed").await.is_none());
    assert!(store.registry().definitions().is_empty());
    store.register(Renamed).await.unwrap();
}

#[tokio::test]
async fn a_renamed_handler_serves_the_tasks_of_its_former_alias() {
    let spy = Spy::default();
    let old = Store::new(spy.clone()).register_fn("count", count).await.unwrap();
    let store = Store::new(spy.clone());
    let new = store.register(Renamed).await.unwrap();
    assert_ne!(old.id, new.id);
    assert_eq!(store.registry().handler(old.id).unwrap().alias.as_str(), "renamed");
    assert_eq!(store.registry().handler(new.id).unwrap().definition, new.id);
    assert_eq!(store.registry().definitions().len(), 2, "never.made has none");
}

#[tokio::test]
async fn a_canceled_definition_stays_canceled() {
    let (_, spy) = store().await;
    change(&spy, "count", cancel).await;
    let store = Store::new(spy.clone());
    let found = store.register_fn("count", count).await.unwrap();
    assert_eq!(found.status, DefinitionStatus::Canceled);
    assert_eq!(definition(&spy, "count").await.unwrap(), found);
    assert_eq!(field(store.enqueue::<Count>(1).await), "task definition");
}

#[tokio::test]
async fn a_soft_deleted_definition_is_made_anew() {
    let (_, spy) = store().await;
    let deleted = definition(&spy, "count").await.unwrap();
    change(&spy, "count", soft_delete).await;
    let store = Store::new(spy.clone());
    assert_eq!(not_found(store.register_existing(Renamed).await), "task definition");
    let made = store.register_fn("count", count).await.unwrap();
    assert_ne!(made.id, deleted.id);
    store.enqueue::<Count>(1).await.unwrap();
    assert_eq!(claim(&spy, "default").await[0].definition, made.id);
}

#[tokio::test]
async fn a_registration_that_failed_can_be_tried_again() {
    let spy = Spy::default();
    let store = Store::new(spy.clone());
    for (call, fault) in [
        ("definition", Fault::Before),
        ("put_definition", Fault::Before),
        ("put_definition", Fault::After),
    ] {
        spy.fail(call, fault);
        assert!(store.register(Renamed).await.unwrap_err().is_retryable(), "{call} {fault:?}");
        assert!(store.registry().definitions().is_empty());
    }
    let made = store.register(Renamed).await.unwrap();
    assert_eq!(store.registry().definitions(), [made.id]);
}

#[tokio::test]
async fn a_handler_that_cannot_be_makes_no_definition() {
    let spy = Spy::default();
    let store = Store::new(spy.clone());
    assert_eq!(field(store.register_fn("two words", count).await), "alias");
    assert_eq!(field(store.register_blocking_fn("", |_, (): ()| Ok(())).await), "alias");
    assert_eq!(spy.count("definition") + spy.count("put_definition"), 0);
}

#[tokio::test]
async fn tables_that_are_missing_are_named() {
    let spy = Spy::default();
    let store = Store::new(spy.clone());
    spy.fail("definition", Fault::NoTables);
    spy.fail("check_schema", Fault::NoTables);
    let error = store.register(Renamed).await.unwrap_err();
    assert!(matches!(error, Error::Schema { .. }), "{error}");

    spy.fail("definition", Fault::NoTables);
    let error = store.register(Renamed).await.unwrap_err();
    assert!(matches!(error, Error::Backend { .. }), "the tables are fine: {error}");
}
