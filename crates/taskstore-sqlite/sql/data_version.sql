-- Changes when another connection has committed: what this one remembers of definitions is then old.
PRAGMA data_version;
