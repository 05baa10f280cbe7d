-- expect: compatible
DROP TABLE archive;
