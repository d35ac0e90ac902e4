# sample for x86_64-linux, aarch64-linux. Made by `envgen export nix`; evaluates without nixpkgs.
#     nix-build FILE -A x86_64-linux.artifacts --option hashed-mirrors file:///.../BUNDLE/blobs
# BUNDLE is a folder of `envgen bundle --output BUNDLE/`. A daemon takes `hashed-mirrors` from trusted users only;
# without it, files come from the addresses below.
let
  fetched = name: mode: sha256: url: derivation {
    inherit name url;
    system = "builtin";
    builder = "builtin:fetchurl";
    outputHashAlgo = "sha256";
    outputHashMode = mode;
    outputHash = sha256;
    urls = [ url ];
    unpack = mode == "recursive";
    executable = false;
    preferLocalBuild = true;
  };
  fetch = name: fetched name "flat";
in
{
  recurseForDerivations = true;
  x86_64-linux = {
    recurseForDerivations = true;
    artifacts = {
      recurseForDerivations = true;
      wheels = {
        recurseForDerivations = true;
        idna = fetch "idna-3.11-py3-none-any.whl" "34daab7c5c3d3d833cdf9ca17cd75249257d22b8ca0a38c3a137d3260b7e9ad1"
          "https://files.example.org/34/idna-3.11-py3-none-any.whl";
        jsonschema = fetch "jsonschema-4.25.1-py3-none-any.whl" "c17534a982f018723d4003aa316d77dd38e31437e4deae5fed82d59998c9558a"
          "https://files.example.org/c1/jsonschema-4.25.1-py3-none-any.whl";
        sympy = fetch "sympy-1.14.0-py3-none-any.whl" "b6be2255da87b42641e38acdb01093435e9c979aa4b90065c1bc122db7f56c17"
          "https://files.example.org/b6/sympy-1.14.0-py3-none-any.whl";
        torch = fetch "torch-2.8.0+cu128-py3-none-any.whl" "c2beeb6993fe557278541941204b8bcd8a11606a8ef381deb889b6ea706ce895"
          "https://files.example.org/c2/torch-2.8.0%2Bcu128-py3-none-any.whl";
      };
      channel = {
        recurseForDerivations = true;
        graphviz = fetch "graphviz-12.0.0-h1_0.conda" "858ea4605a4012aab5fd6f5e322f7e74a54dbd283b260aec4d678a634ed49dda"
          "https://channel.example.org/built/linux-64/graphviz-12.0.0-h1_0.conda";
        numpy = fetch "numpy-2.3.5-h1_0.conda" "4963141cb8ac2a4a478f95762cef86825cb53226ae491caf087b5336d26363b2"
          "https://conda.example.org/forge/linux-64/numpy-2.3.5-h1_0.conda";
      };
      debs = {
        recurseForDerivations = true;
        python3_11 = fetch "python3.11_3.11.2-6+deb12u6_amd64.deb" "72e78ddac08187448a816f3688b1b27700b00f882d34e6021acdbdbe4c54008b"
          "file:///no-address-is-known-of-this-file-only-hashed-mirrors-have-it";
        zlib1g = fetch "zlib1g_1.2.13+dfsg-1_amd64.deb" "2f69b326b2949605a5ac35819ff19c6e8bf717cdfc0e2001239c155e853c44b7"
          "file:///no-address-is-known-of-this-file-only-hashed-mirrors-have-it";
      };
    };
  };
  aarch64-linux = {
    recurseForDerivations = true;
    artifacts = {
      recurseForDerivations = true;
      wheels = {
        recurseForDerivations = true;
        idna = fetch "idna-3.11-py3-none-any.whl" "34daab7c5c3d3d833cdf9ca17cd75249257d22b8ca0a38c3a137d3260b7e9ad1"
          "https://files.example.org/34/idna-3.11-py3-none-any.whl";
        jsonschema = fetch "jsonschema-4.25.1-py3-none-any.whl" "c17534a982f018723d4003aa316d77dd38e31437e4deae5fed82d59998c9558a"
          "https://files.example.org/c1/jsonschema-4.25.1-py3-none-any.whl";
      };
      channel = {
        recurseForDerivations = true;
        python = fetch "python-3.11.2-h1_0.conda" "8fd3665bd8b8c3b018642bc247ec6f6f8f304e8c5652b3881b2a8b6479f41685"
          "https://channel.example.org/built/linux-64/python-3.11.2-h1_0.conda";
        python_abi = fetch "python_abi-3.11-3_cp311.conda" "a80919dc0eb4493bd3b8abca6222061f93b969ccc8fd85a38708b91c07d9b13f"
          "https://channel.example.org/built/linux-64/python_abi-3.11-3_cp311.conda";
      };
    };
  };
}
