"""The phases of a canary. One file and one signature each: a trial in, the next move out. Nothing is kept here."""
