-- All of them, read once and again only when another connection has committed; tens of rows.
SELECT seq,id,status,deleted_at IS NOT NULL FROM task_definition;
