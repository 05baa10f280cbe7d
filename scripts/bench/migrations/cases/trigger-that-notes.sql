-- expect: compatible
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.ticket := NEW.ticket; RETURN NEW; END$$;
CREATE TRIGGER note_it BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION note_it();
