-- Waits for every enqueue and requeue that is under way, and holds those that come: what definition_in_use then sees is all there
-- is, and whoever waited sees that the definition is gone. Rare, so that nothing on the hot path locks a definition.
LOCK TABLE task_queue IN EXCLUSIVE MODE;
