"""The node agent: stands in for the kubelets of all nodes of a sandbox.

A pod's containers run as processes of this machine, under an address of the pod's own. What a container runtime would
isolate is not isolated: processes see this machine's files, users and network, `readOnly` mounts can be written, and
CPU limits are not enforced. Everything else that a pod's spec asks for is done, or refused with an Event.
"""
