/// Version of the program and its libraries, as in CHANGELOG.md (<https://semver.org>).
public let diffnnpVersion: StaticString = "0.2.0"
