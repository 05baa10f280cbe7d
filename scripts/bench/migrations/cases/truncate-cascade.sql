-- expect: compatible
TRUNCATE archive CASCADE;
