-- expect: compatible
CREATE TABLE tags (id int PRIMARY KEY, name text NOT NULL);
CREATE VIEW tag_names AS SELECT name FROM tags;
