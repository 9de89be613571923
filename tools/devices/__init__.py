"""The device fleet: enrolment, desired state, what devices report, and the protocol they speak."""
