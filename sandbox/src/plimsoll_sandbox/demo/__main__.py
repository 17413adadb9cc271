"""`python -m plimsoll_sandbox.demo`: what `make demo` runs."""

from plimsoll_sandbox.demo.play import main

main()
