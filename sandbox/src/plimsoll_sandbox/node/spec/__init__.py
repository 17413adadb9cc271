"""What a pod asks for, parsed once from the API's JSON into frozen types with the kubelet's defaults.

Promise: no I/O. The apiserver has validated the JSON and filled in its defaults, so nothing is validated again here.
"""
