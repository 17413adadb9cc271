"""`kubectl plimsoll`: what a person asks of an InferenceDeployment.

One file per verb, those that only ask for something in `verbs`, wired in `main`; what is printed can be read without
colours. It runs where kubectl runs, with the user's own rights, and writes nothing but the one annotation that asks the
operator.
"""
