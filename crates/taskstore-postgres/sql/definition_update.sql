-- Expected unchanged: the guard is the time of its last change.
-- 1 id 2 alias 3 title 4 description 5 memo 6 status 7 created_at 8 updated_at 9 deleted_at or NULL 10 updated_at as it was read
UPDATE task_definition SET alias=$2,title=$3,description=$4,memo=$5,status=$6,created_at=$7,updated_at=$8,deleted_at=$9
 WHERE id=$1 AND updated_at=$10 AND status<2;
