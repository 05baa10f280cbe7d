-- expect: compatible
ALTER TABLE archive RENAME TO archives;
CREATE VIEW archive AS SELECT * FROM archives;
