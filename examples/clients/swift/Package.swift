// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "client",
    platforms: [.macOS(.v12)],
    targets: [.executableTarget(name: "client", path: "Sources/Client")]
)
