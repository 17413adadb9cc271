"""The steps of a reconcile. One file and one signature each: a draft in, the draft with one more answer out."""
