'use strict';

/** One project for each kind of test; CONTRIBUTING.md says which one a test belongs to. */
const common = {
  rootDir: __dirname,
  testEnvironment: 'node',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  // The servers that a file needs are started once for all files: see test/e2e/README.md.
  injectGlobals: true,
};

module.exports = {
  projects: ['unit', 'workflows', 'replay', 'e2e'].map((name) => ({
    ...common,
    displayName: name,
    testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  })),
};
