//! A database that has seen many tasks.

use mysql_async::prelude::Queryable;

use crate::common::Store;

/// So many tasks, by what they are now: a third each success, ready and delayed, and a few of every
/// other kind; in two queues. The statistics that the server keeps may be older than they are.
pub(crate) async fn fill(store: &Store, tasks: usize) {
    let mut person = store.person().await;
    let numbers = "(SELECT a.d+10*b.d+100*c.d+1000*e.d+10000*f.d+100000*g.d+1000000*h.d AS i FROM digits a,digits b,digits c,digits e,digits f,digits g,digits h)";
    let digits = (0..10).map(|digit| format!("({digit})")).collect::<Vec<_>>().join(",");
    for sql in [
        "CREATE TEMPORARY TABLE ds(d INT)".to_owned(),
        format!("INSERT INTO ds VALUES{digits}"),
        "CREATE TABLE IF NOT EXISTS digits(d INT PRIMARY KEY)".to_owned(),
        "INSERT IGNORE INTO digits SELECT d FROM ds".to_owned(),
        "SET SESSION unique_checks=0,sql_mode=''".to_owned(),
        format!(
            "INSERT INTO task_queue(id,definition_id,queue,status,turn,attempts,run_at,created_at,updated_at,started_at,completed_at,deleted_at)
             SELECT CONCAT('02',LPAD(n.i,24,'0')),1,IF(n.i MOD 2,'mail','default'),
              CASE WHEN n.i MOD 100=0 THEN 3 WHEN n.i MOD 100=1 THEN 4 WHEN n.i MOD 100=2 THEN 5 WHEN n.i MOD 3=0 THEN 2 ELSE 0 END,
              IF(n.i MOD 100=3,1,0),0,1000+n.i,n.i+1,n.i+1,0,
              CASE WHEN n.i MOD 100<2 OR (n.i MOD 3=0 AND n.i MOD 100<>2) THEN n.i+1+(n.i*7919) MOD 1000 ELSE 0 END,
              IF(n.i MOD 100=1 AND n.i MOD 1000<500,n.i+5,0)
             FROM {numbers} n WHERE n.i<{tasks} ORDER BY n.i"
        ),
        "INSERT INTO task_payload(task,parameters) SELECT seq,'{}' FROM task_queue".to_owned(),
        "INSERT INTO task_aside SELECT status,seq FROM task_queue WHERE status>2 AND deleted_at=0".to_owned(),
        "INSERT INTO task_ended SELECT status,completed_at,seq FROM task_queue WHERE completed_at<>0".to_owned(),
        "INSERT INTO task_deleted SELECT deleted_at,seq FROM task_queue WHERE deleted_at<>0".to_owned(),
        "INSERT INTO task_result(task,turn,status,started_at,ended_at,owner,error) SELECT seq,0,status,1,1,'01K00000000000000000000000','broken' FROM task_queue WHERE status=3".to_owned(),
        "INSERT INTO task_log SELECT seq,0,0,1,0,'line' FROM task_queue WHERE status=3".to_owned(),
        "INSERT INTO task_ready SELECT queue,priority,run_at,seq,1 FROM task_queue WHERE status=0 AND turn=0 AND seq MOD 2".to_owned(),
        "INSERT INTO task_later SELECT run_at,seq,queue,priority,1 FROM task_queue WHERE status=0 AND turn=0 AND NOT seq MOD 2".to_owned(),
        "INSERT INTO task_lease SELECT UNHEX(LEFT(SHA2(seq DIV 20000,256),32)),'01K00000000000000000000000',0,0,15000000,0,COUNT(*),0,NULL FROM task_queue WHERE status=0 AND turn=1 GROUP BY seq DIV 20000".to_owned(),
        "SET SESSION group_concat_max_len=16000000".to_owned(),
        "INSERT INTO task_lease_tasks SELECT UNHEX(LEFT(SHA2(seq DIV 20000,256),32)),CONCAT('[',GROUP_CONCAT(CONCAT('[',seq,',',turn,']') ORDER BY seq),']') FROM task_queue WHERE status=0 AND turn=1 GROUP BY seq DIV 20000".to_owned(),
        "INSERT INTO task_queue_state VALUES('stopped',1)".to_owned(),
        "DROP TABLE digits".to_owned(),
    ] {
        person.query_drop(&sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    }
    person.disconnect().await.unwrap();
}
