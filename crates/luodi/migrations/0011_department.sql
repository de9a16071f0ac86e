-- What stands in the numbers of a department's papers (机关代字), and a version for its page.
ALTER TABLE department ADD COLUMN paper_word TEXT;
ALTER TABLE department ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
UPDATE department SET paper_word = code;
CREATE UNIQUE INDEX department_paper_word ON department (paper_word);
