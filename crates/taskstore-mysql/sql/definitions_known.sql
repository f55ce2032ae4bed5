-- All of them, in every claim: there is no notice of a change, and a claim must take nothing of a canceled one. Tens of rows.
SELECT seq,id,status FROM task_definition;
