-- The city: who works in it, who applies, what can be applied for, and what became of it.
-- Types are the small set both engines know; ids are UUIDv7 in 16 bytes; money is fen; dates are
-- YYYY-MM-DD text; instants are UTC milliseconds; documents are JSON text. A table with last_event
-- is bound to the audit log: the column names the last event that covers the row.

CREATE TABLE department (
  id BYTEA PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  region_code TEXT NOT NULL,
  last_event BYTEA
);

CREATE TABLE account (
  id BYTEA PRIMARY KEY,
  login TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  department_id BYTEA REFERENCES department (id),
  region_code TEXT NOT NULL,
  party_id BYTEA,
  state TEXT NOT NULL,
  demo BIGINT NOT NULL,
  failed_logins BIGINT NOT NULL,
  locked_until BIGINT,
  last_login_at BIGINT,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX account_party ON account (party_id);

CREATE TABLE account_role (
  account_id BYTEA NOT NULL REFERENCES account (id),
  role TEXT NOT NULL,
  PRIMARY KEY (account_id, role)
);

CREATE TABLE session (
  token_hash BYTEA PRIMARY KEY,
  account_id BYTEA NOT NULL REFERENCES account (id),
  csrf TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX session_account ON session (account_id);

-- A party (主体): an enterprise or a natural person. ID number, telephone and address are sealed
-- under the party's own key and found by keyed hash.
CREATE TABLE party (
  id BYTEA PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  credit_code TEXT UNIQUE,
  id_number_sealed BYTEA,
  id_number_lookup BYTEA UNIQUE,
  phone_sealed BYTEA,
  address_sealed BYTEA,
  region_code TEXT NOT NULL,
  industry_code TEXT,
  legal_representative TEXT,
  founded_on TEXT,
  demo BIGINT NOT NULL,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX party_region ON party (region_code, name);

-- A bank account of a party; who enters it may not approve it.
CREATE TABLE bank_account (
  id BYTEA PRIMARY KEY,
  party_id BYTEA NOT NULL REFERENCES party (id),
  holder_name TEXT NOT NULL,
  bank_name TEXT NOT NULL,
  bank_code TEXT NOT NULL,
  account_sealed BYTEA NOT NULL,
  account_lookup BYTEA NOT NULL,
  state TEXT NOT NULL,
  entered_by BYTEA NOT NULL,
  entered_at BIGINT NOT NULL,
  approved_by BYTEA,
  approved_at BIGINT,
  reason TEXT,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX bank_account_party ON bank_account (party_id, state);

-- Published packages: immutable, named by the hash of their canonical bytes.
CREATE TABLE policy_version (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  published_at BIGINT NOT NULL,
  published_by TEXT NOT NULL
);

CREATE TABLE item_version (
  hash TEXT PRIMARY KEY,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  body TEXT NOT NULL,
  policy_hash TEXT REFERENCES policy_version (hash),
  published_at BIGINT NOT NULL,
  published_by TEXT NOT NULL
);

-- The item (事项) as offered now in one region by one department.
CREATE TABLE item (
  id BYTEA PRIMARY KEY,
  code TEXT NOT NULL,
  region_code TEXT NOT NULL,
  department_id BYTEA NOT NULL REFERENCES department (id),
  hash TEXT NOT NULL REFERENCES item_version (hash),
  state TEXT NOT NULL,
  opens_on TEXT,
  closes_on TEXT,
  version BIGINT NOT NULL,
  last_event BYTEA,
  UNIQUE (code, region_code)
);

-- A case (办件) = one item at one version + a process state. Names of party and item as they were
-- when it was submitted.
CREATE TABLE casework (
  id BYTEA PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  item_id BYTEA NOT NULL REFERENCES item (id),
  item_hash TEXT NOT NULL REFERENCES item_version (hash),
  region_code TEXT NOT NULL,
  department_id BYTEA NOT NULL REFERENCES department (id),
  party_id BYTEA NOT NULL REFERENCES party (id),
  party_kind TEXT NOT NULL,
  party_name TEXT NOT NULL,
  item_name TEXT NOT NULL,
  title TEXT NOT NULL,
  channel TEXT NOT NULL,
  period TEXT NOT NULL,
  state TEXT NOT NULL,
  process_state TEXT NOT NULL,
  form TEXT NOT NULL,
  form_version BIGINT NOT NULL,
  bank_account_id BYTEA REFERENCES bank_account (id),
  submitted_by BYTEA NOT NULL,
  submitted_at BIGINT NOT NULL,
  accepted_on TEXT,
  restarted_on TEXT,
  limit_working_days BIGINT NOT NULL,
  due_on TEXT,
  suspended BIGINT NOT NULL,
  amount_fen BIGINT,
  explanation TEXT,
  ended_at BIGINT,
  demo BIGINT NOT NULL,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX casework_department ON casework (department_id, state, due_on);
CREATE INDEX casework_party ON casework (party_id);

-- What only one live case may hold, such as one meter in one quarter. Released, not deleted,
-- by setting released_at; the key of a released claim carries the case id and blocks nobody.
CREATE TABLE case_claim (
  item_code TEXT NOT NULL,
  claim_key TEXT NOT NULL,
  case_id BYTEA NOT NULL REFERENCES casework (id),
  released_at BIGINT,
  PRIMARY KEY (item_code, claim_key)
);
CREATE INDEX case_claim_case ON case_claim (case_id);

-- Values of the form that the item names for comparison and lists.
CREATE TABLE case_value (
  case_id BYTEA NOT NULL REFERENCES casework (id),
  name TEXT NOT NULL,
  text_value TEXT,
  number_value DOUBLE PRECISION,
  PRIMARY KEY (case_id, name)
);

CREATE TABLE task (
  id BYTEA PRIMARY KEY,
  case_id BYTEA NOT NULL REFERENCES casework (id),
  activity BIGINT NOT NULL,
  node TEXT NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  duty TEXT NOT NULL,
  state TEXT NOT NULL,
  assignee_id BYTEA,
  created_at BIGINT NOT NULL,
  completed_at BIGINT,
  completed_by BYTEA,
  completed_by_label TEXT,
  outcome TEXT,
  reason TEXT,
  data TEXT,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX task_case ON task (case_id);
CREATE INDEX task_open ON task (state, role, case_id);

CREATE TABLE suspension (
  id BYTEA PRIMARY KEY,
  case_id BYTEA NOT NULL REFERENCES casework (id),
  reason TEXT NOT NULL,
  suspended_on TEXT NOT NULL,
  resumed_on TEXT,
  note TEXT NOT NULL,
  last_event BYTEA
);
CREATE INDEX suspension_case ON suspension (case_id);

-- 补正: asked once with everything that is wrong or missing.
CREATE TABLE correction (
  id BYTEA PRIMARY KEY,
  case_id BYTEA NOT NULL REFERENCES casework (id),
  kind TEXT NOT NULL,
  asked TEXT NOT NULL,
  asked_by BYTEA NOT NULL,
  asked_at BIGINT NOT NULL,
  answer TEXT,
  answered_at BIGINT,
  last_event BYTEA
);
CREATE INDEX correction_case ON correction (case_id);

-- Inspections name two different officers.
CREATE TABLE inspection (
  id BYTEA PRIMARY KEY,
  case_id BYTEA NOT NULL REFERENCES casework (id),
  inspected_on TEXT NOT NULL,
  officer_id BYTEA NOT NULL,
  second_officer_id BYTEA NOT NULL,
  finding TEXT NOT NULL,
  data TEXT NOT NULL,
  last_event BYTEA
);
CREATE INDEX inspection_case ON inspection (case_id);

-- Who did what in a case as far as incompatible duties are concerned.
CREATE TABLE case_duty (
  case_id BYTEA NOT NULL REFERENCES casework (id),
  account_id BYTEA NOT NULL,
  duty TEXT NOT NULL,
  PRIMARY KEY (case_id, account_id, duty)
);

CREATE TABLE attachment (
  id BYTEA PRIMARY KEY,
  owner_id BYTEA NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id BYTEA NOT NULL,
  slot TEXT NOT NULL,
  file_name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size_bytes BIGINT NOT NULL,
  content_name TEXT NOT NULL,
  uploaded_by TEXT NOT NULL,
  uploaded_at BIGINT NOT NULL,
  replaced_at BIGINT,
  last_event BYTEA
);
CREATE INDEX attachment_subject ON attachment (subject_id);

-- Money. A budget line as finance writes it.
CREATE TABLE budget_line (
  id BYTEA PRIMARY KEY,
  year BIGINT NOT NULL,
  region_code TEXT NOT NULL,
  department_id BYTEA NOT NULL REFERENCES department (id),
  name TEXT NOT NULL,
  function_code TEXT NOT NULL,
  economic_code TEXT NOT NULL,
  project TEXT NOT NULL,
  document_number TEXT NOT NULL UNIQUE,
  version BIGINT NOT NULL,
  last_event BYTEA
);

CREATE TABLE ledger_entry (
  id BYTEA PRIMARY KEY,
  budget_line_id BYTEA NOT NULL REFERENCES budget_line (id),
  movement TEXT NOT NULL,
  reverses BYTEA,
  subject_kind TEXT NOT NULL,
  subject_id BYTEA NOT NULL,
  memo TEXT NOT NULL,
  posted_by TEXT NOT NULL,
  posted_at BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX ledger_entry_line ON ledger_entry (budget_line_id);
CREATE INDEX ledger_entry_subject ON ledger_entry (subject_id);

CREATE TABLE posting (
  entry_id BYTEA NOT NULL REFERENCES ledger_entry (id),
  position BIGINT NOT NULL,
  budget_line_id BYTEA NOT NULL REFERENCES budget_line (id),
  account TEXT NOT NULL,
  debit_fen BIGINT NOT NULL,
  credit_fen BIGINT NOT NULL,
  PRIMARY KEY (entry_id, position)
);
CREATE INDEX posting_line ON posting (budget_line_id, account);

-- One row per budget line and account: the running balance that guards the next posting.
-- Derived from posting; `luodi ledger verify` recomputes it.
CREATE TABLE ledger_balance (
  budget_line_id BYTEA NOT NULL REFERENCES budget_line (id),
  account TEXT NOT NULL,
  debit_fen BIGINT NOT NULL,
  credit_fen BIGINT NOT NULL,
  PRIMARY KEY (budget_line_id, account)
);

-- A quarter's batch of approved cases of one item in one region.
CREATE TABLE batch (
  id BYTEA PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  item_id BYTEA NOT NULL REFERENCES item (id),
  region_code TEXT NOT NULL,
  department_id BYTEA NOT NULL REFERENCES department (id),
  period TEXT NOT NULL,
  title TEXT NOT NULL,
  state TEXT NOT NULL,
  budget_line_id BYTEA NOT NULL REFERENCES budget_line (id),
  created_by BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  demo BIGINT NOT NULL,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX batch_region ON batch (region_code, period);

CREATE TABLE batch_entry (
  id BYTEA PRIMARY KEY,
  batch_id BYTEA NOT NULL REFERENCES batch (id),
  position BIGINT NOT NULL,
  case_id BYTEA NOT NULL REFERENCES casework (id),
  party_id BYTEA NOT NULL REFERENCES party (id),
  amount_fen BIGINT NOT NULL,
  state TEXT NOT NULL,
  version BIGINT NOT NULL,
  last_event BYTEA,
  UNIQUE (batch_id, position)
);
CREATE INDEX batch_entry_case ON batch_entry (case_id);

-- A payment file sent to the bank, and its lines.
CREATE TABLE payment_file (
  id BYTEA PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  batch_id BYTEA NOT NULL REFERENCES batch (id),
  line_count BIGINT NOT NULL,
  total_fen BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  body_sealed BYTEA NOT NULL,
  state TEXT NOT NULL,
  created_by BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  reply_sha256 TEXT,
  replied_at BIGINT,
  version BIGINT NOT NULL,
  last_event BYTEA
);

CREATE TABLE payment (
  id BYTEA PRIMARY KEY,
  file_id BYTEA NOT NULL REFERENCES payment_file (id),
  line_number BIGINT NOT NULL,
  batch_entry_id BYTEA NOT NULL REFERENCES batch_entry (id),
  bank_account_id BYTEA NOT NULL REFERENCES bank_account (id),
  amount_fen BIGINT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  settled_on TEXT,
  version BIGINT NOT NULL,
  last_event BYTEA,
  UNIQUE (file_id, line_number)
);
CREATE INDEX payment_entry ON payment (batch_entry_id);

-- 公示 and 异议.
CREATE TABLE notice (
  id BYTEA PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  batch_id BYTEA NOT NULL REFERENCES batch (id),
  region_code TEXT NOT NULL,
  department_id BYTEA NOT NULL REFERENCES department (id),
  title TEXT NOT NULL,
  basis TEXT NOT NULL,
  channel TEXT NOT NULL,
  starts_on TEXT NOT NULL,
  ends_on TEXT NOT NULL,
  state TEXT NOT NULL,
  published_by BYTEA NOT NULL,
  published_at BIGINT NOT NULL,
  demo BIGINT NOT NULL,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX notice_region ON notice (region_code, ends_on);

CREATE TABLE notice_entry (
  id BYTEA PRIMARY KEY,
  notice_id BYTEA NOT NULL REFERENCES notice (id),
  position BIGINT NOT NULL,
  batch_entry_id BYTEA NOT NULL REFERENCES batch_entry (id),
  masked_name TEXT NOT NULL,
  summary TEXT NOT NULL,
  amount_fen BIGINT NOT NULL,
  last_event BYTEA,
  UNIQUE (notice_id, position)
);

CREATE TABLE objection (
  id BYTEA PRIMARY KEY,
  receipt TEXT NOT NULL UNIQUE,
  notice_id BYTEA NOT NULL REFERENCES notice (id),
  notice_entry_id BYTEA NOT NULL REFERENCES notice_entry (id),
  objector_kind TEXT NOT NULL,
  objector_name_sealed BYTEA,
  contact_sealed BYTEA,
  statement_sealed BYTEA NOT NULL,
  state TEXT NOT NULL,
  received_at BIGINT NOT NULL,
  handled_by BYTEA,
  verified_note TEXT,
  answer TEXT,
  answered_by BYTEA,
  answered_at BIGINT,
  demo BIGINT NOT NULL,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX objection_notice ON objection (notice_id, state);
CREATE INDEX objection_entry ON objection (notice_entry_id, state);

-- The row that gives numbers: taken last in a command. Numbers of papers have no gaps.
CREATE TABLE number_series (
  series TEXT PRIMARY KEY,
  last_number BIGINT NOT NULL
);

CREATE TABLE article (
  id BYTEA PRIMARY KEY,
  title TEXT NOT NULL,
  tag TEXT,
  region_code TEXT,
  category TEXT NOT NULL,
  summary TEXT NOT NULL,
  body TEXT NOT NULL,
  published_on TEXT NOT NULL,
  state TEXT NOT NULL,
  source_digest TEXT UNIQUE,
  source_position BIGINT,
  source_block BYTEA,
  folded TEXT NOT NULL,
  demo BIGINT NOT NULL,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX article_published ON article (published_on, id);
CREATE INDEX article_state ON article (state, published_on, id);
CREATE INDEX article_region ON article (state, region_code, published_on);

-- Messages to a party inside the program (站内消息); mail and text messages leave by the outbox.
CREATE TABLE message (
  id BYTEA PRIMARY KEY,
  party_id BYTEA NOT NULL REFERENCES party (id),
  case_id BYTEA,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  read_at BIGINT
);
CREATE INDEX message_party ON message (party_id, created_at);

-- A text typed into a long form, kept so that an expired session loses nothing.
CREATE TABLE draft (
  id BYTEA PRIMARY KEY,
  account_id BYTEA NOT NULL REFERENCES account (id),
  item_id BYTEA NOT NULL REFERENCES item (id),
  party_id BYTEA NOT NULL REFERENCES party (id),
  body_sealed BYTEA NOT NULL,
  state TEXT NOT NULL,
  case_id BYTEA,
  updated_at BIGINT NOT NULL,
  version BIGINT NOT NULL,
  last_event BYTEA
);
CREATE INDEX draft_account ON draft (account_id, item_id, state);

-- Facts about this installation: its city, whether it is a demonstration, when it began.
CREATE TABLE city (
  id BIGINT PRIMARY KEY,
  name TEXT NOT NULL,
  region_code TEXT NOT NULL,
  demo BIGINT NOT NULL,
  seed BIGINT,
  demo_today TEXT,
  created_at BIGINT NOT NULL
);
