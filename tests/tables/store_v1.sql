-- A file of schema 1, as the first assay wrote it; it is opened by the test of migrations. Never change it.
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'incomplete')),
  finished TEXT NOT NULL DEFAULT '',
  manifest TEXT NOT NULL
);
CREATE TABLE tasks (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  manifest TEXT NOT NULL,
  UNIQUE (run, name)
);
CREATE TABLE problems (
  id INTEGER PRIMARY KEY,
  task INTEGER NOT NULL REFERENCES tasks (id),
  problem_id TEXT NOT NULL,
  asked BLOB NOT NULL,
  UNIQUE (task, problem_id)
);
CREATE INDEX problems_of_task ON problems (task);
CREATE TABLE servers (
  id INTEGER PRIMARY KEY,
  served_by TEXT NOT NULL,
  served_model TEXT NOT NULL,
  UNIQUE (served_by, served_model)
);
CREATE TABLE samples (
  id INTEGER PRIMARY KEY,
  problem INTEGER NOT NULL REFERENCES problems (id),
  sample_index INTEGER NOT NULL,
  key NOT NULL,
  finish TEXT NOT NULL,
  unclosed_reasoning INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  answer_tokens INTEGER NOT NULL,
  tokens_measured INTEGER NOT NULL,
  latency_seconds REAL NOT NULL,
  cost_usd REAL,
  seed INTEGER NOT NULL,
  server INTEGER NOT NULL REFERENCES servers (id),
  created_ms INTEGER NOT NULL,
  UNIQUE (problem, sample_index)
);
CREATE TABLE texts (
  sample INTEGER PRIMARY KEY REFERENCES samples (id),
  raw_begin INTEGER NOT NULL,
  raw_size INTEGER NOT NULL,
  reasoning_begin INTEGER NOT NULL,
  reasoning_size INTEGER NOT NULL,
  answer_begin INTEGER NOT NULL,
  answer_size INTEGER NOT NULL,
  cut INTEGER NOT NULL,
  tail BLOB NOT NULL,
  head BLOB
);
CREATE TABLE verdicts (
  id INTEGER PRIMARY KEY,
  sample INTEGER NOT NULL REFERENCES samples (id),
  grader TEXT NOT NULL,
  grader_version INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  score REAL NOT NULL,
  why TEXT NOT NULL,
  detail TEXT,
  answer TEXT,
  strict TEXT,
  lenient TEXT,
  same INTEGER NOT NULL,
  rule TEXT NOT NULL,
  answer_begin INTEGER NOT NULL,
  answer_end INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
);
CREATE INDEX verdicts_of_sample ON verdicts (sample);
CREATE TRIGGER samples_never_change BEFORE UPDATE ON samples
  BEGIN SELECT RAISE(ABORT, 'a stored completion is never changed'); END;
CREATE TRIGGER texts_never_change BEFORE UPDATE ON texts
  BEGIN SELECT RAISE(ABORT, 'a stored completion is never changed'); END;
CREATE TRIGGER verdicts_never_change BEFORE UPDATE ON verdicts
  BEGIN SELECT RAISE(ABORT, 'a verdict is never changed: a newer one is added'); END;
CREATE TRIGGER problems_never_change BEFORE UPDATE ON problems
  BEGIN SELECT RAISE(ABORT, 'a problem as asked is never changed'); END;
INSERT INTO runs VALUES (1, 'oldrun22', 'old run', 'complete', '2026-11-23T14:00:05Z', '{"name": "old run", "id": "oldrun22", "backend": "endpoint", "model": "m", "base_urls": ["http://127.0.0.1:1/v1"], "seed": "7", "started": "2026-11-23T14:00:00Z"}');
INSERT INTO tasks VALUES (1, 1, 0, 'sums', '{"name": "sums", "version": "1", "extractor": "boxed", "grader": "math", "grader_version": 1, "samples_per_problem": 2, "problems": 1, "metrics": ["pass@1"]}');
INSERT INTO problems VALUES (1, 1, 'p0', x'28b52ffd209b8d03003246151a804bdaabfd4d623279adb93921152b330030410c65aab40929100da2f00a53bf4c4af55292dd336ca7b1a10020602e6acf34bcecfc4875e0d21d4f5612a54f682290839df768c905b21d0b06b6f3115eafb87a05090055b7d8d1081d42cb62aa2a04602ae450d7dd2430524c32');
INSERT INTO servers VALUES (1, 'http://127.0.0.1:1/v1', 'm');
INSERT INTO samples VALUES (1, 1, 0, x'e43fd45f8d6fe044320aca8b19d7943ea8a1b4e902656012814e8bcfe0809750', 'stop', 0, 10, 4, 2, 1, 0.5, NULL, 11, 1, 1795442400000);
INSERT INTO samples VALUES (2, 1, 1, x'c8dfc7bc8b6667c1b142b595e89c5948be27bf3aad00622f5a8608e3c54e40b8', 'stop', 0, 10, 0, 1, 0, 0.5, NULL, 12, 1, 1795442400001);
INSERT INTO texts VALUES (1, 0, 33, 8, 12, 31, 2, 0, x'28b52ffd20210901003c7468696e6b3e0a6f6c642074686f75676874730a3c2f7468696e6b3e0a0a3432', NULL);
INSERT INTO texts VALUES (2, 0, 2, 0, 0, 0, 2, 0, x'28b52ffd20021100003433', NULL);
INSERT INTO verdicts VALUES (1, 1, 'math', 1, 'correct', 1.0, 'equal', NULL, '42', NULL, NULL, 3, 'last_line', 0, 2, 1795442400000);
INSERT INTO verdicts VALUES (2, 2, 'math', 1, 'incorrect', 0.0, 'differ', NULL, '43', NULL, NULL, 2, 'last_line', 0, 2, 1795442400001);
PRAGMA application_id = 1634956153;
PRAGMA user_version = 1;
COMMIT;
