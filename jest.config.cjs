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
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/dist\\.new-'],
};

module.exports = {
  testSequencer: '<rootDir>/test/in-order.cjs',
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    { ...common, displayName: 'workflows', testMatch: ['<rootDir>/test/workflows/**/*.test.ts'] },
    { ...common, displayName: 'replay', testMatch: ['<rootDir>/test/replay/**/*.test.ts'] },
    // Two clusters on loopback, started once for all files.
    {
      ...common,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.test.ts'],
      globalSetup: '<rootDir>/test/e2e/global-setup.ts',
    },
    // Real hosts: test/run.ts starts the site and runs this project inside its network namespace.
    { ...common, displayName: 'site', testMatch: ['<rootDir>/test/site/**/*.test.ts'] },
  ],
};
