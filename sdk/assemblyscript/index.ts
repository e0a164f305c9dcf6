// The compiler looks for a package here.

export * from "./assembly/index";
