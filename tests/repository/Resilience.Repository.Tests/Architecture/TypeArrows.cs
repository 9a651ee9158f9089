using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace Resilience.Tests.Architecture;

/// <summary>One type uses another one.</summary>
internal readonly record struct TypeArrow(string From, string FromFile, string To, string ToFile);

/// <summary>Which types of an assembly use which, read from what the compiler wrote: bases, fields, signatures, attributes and the bodies of methods. The
/// file of a type is that of its symbols. Types inside of a type are part of it, also those that the compiler makes (state machines, closures).</summary>
/// <remarks>What the compiler leaves out is not seen: constants, <c>nameof</c>, and comments.</remarks>
internal sealed class TypeArrows
{
    /// <summary>The symbols' mark for a type without code: its documents.</summary>
    private static readonly Guid TypeDocuments = new("932E74BC-DBA9-4478-8D46-0F32A7BAB3D3");

    private static readonly Dictionary<int, OpCode> OpCodesByValue = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(f => (OpCode)f.GetValue(null)!).ToDictionary(c => c.Value & 0xFFFF);

    private readonly PEReader _binary;
    private readonly MetadataReader _types;
    private readonly MetadataReader _symbols;
    private readonly Dictionary<TypeDefinitionHandle, string> _files = [];
    private readonly HashSet<(TypeDefinitionHandle From, TypeDefinitionHandle To)> _arrows = [];

    private TypeArrows(PEReader binary, MetadataReader symbols)
    {
        _binary = binary;
        _types = binary.GetMetadataReader();
        _symbols = symbols;
    }

    /// <summary>All arrows between the types of an assembly, and the files of its types. What has no file was made by the compiler.</summary>
    internal static (IReadOnlyList<TypeArrow> Arrows, IReadOnlyList<string> Files) Read(Stream assembly, Stream symbols)
    {
        using PEReader binary = new(assembly);
        using MetadataReaderProvider provider = MetadataReaderProvider.FromPortablePdbStream(symbols);
        TypeArrows reader = new(binary, provider.GetMetadataReader());
        reader.FindFiles();
        foreach (TypeDefinitionHandle type in reader._types.TypeDefinitions) reader.ReadType(type);
        return ([.. reader.Named()], [.. reader._files.Values.Distinct()]);
    }

    private IEnumerable<TypeArrow> Named() =>
        from arrow in _arrows
        where _files.ContainsKey(arrow.From) && _files.ContainsKey(arrow.To)
        select new TypeArrow(NameOf(arrow.From), _files[arrow.From], NameOf(arrow.To), _files[arrow.To]);

    private string NameOf(TypeDefinitionHandle type)
    {
        TypeDefinition definition = _types.GetTypeDefinition(type);
        return _types.GetString(definition.Name).Split('`')[0];
    }

    private TypeDefinitionHandle Outermost(TypeDefinitionHandle type)
    {
        while (_types.GetTypeDefinition(type).GetDeclaringType() is { IsNil: false } outer) type = outer;
        return type;
    }

    private void FindFiles()
    {
        foreach (MethodDefinitionHandle method in _types.MethodDefinitions)
        {
            MethodDebugInformation code = _symbols.GetMethodDebugInformation(method.ToDebugInformationHandle());
            if (!code.Document.IsNil) Found(_types.GetMethodDefinition(method).GetDeclaringType(), code.Document);
        }

        foreach (CustomDebugInformation more in _symbols.CustomDebugInformation.Select(_symbols.GetCustomDebugInformation))
        {
            if (more.Parent.Kind != HandleKind.TypeDefinition || _symbols.GetGuid(more.Kind) != TypeDocuments) continue;
            int document = _symbols.GetBlobReader(more.Value).ReadCompressedInteger();
            Found((TypeDefinitionHandle)more.Parent, MetadataTokens.DocumentHandle(document));
        }
    }

    /// <summary>What was generated has no place in the tree; the part of a type that was written has.</summary>
    private void Found(TypeDefinitionHandle type, DocumentHandle document)
    {
        string file = FileOf(document);
        if (!file.Contains("/obj/", StringComparison.Ordinal)) _files.TryAdd(Outermost(type), file);
    }

    private string FileOf(DocumentHandle document) => _symbols.GetString(_symbols.GetDocument(document).Name).Replace('\\', '/');

    private void ReadType(TypeDefinitionHandle handle)
    {
        TypeDefinition type = _types.GetTypeDefinition(handle);
        Names names = new(this, Outermost(handle));
        names.Add(type.BaseType);
        foreach (InterfaceImplementationHandle one in type.GetInterfaceImplementations()) names.Add(_types.GetInterfaceImplementation(one).Interface);
        names.Add(type.GetGenericParameters());
        names.Add(type.GetCustomAttributes());
        foreach (FieldDefinitionHandle one in type.GetFields())
        {
            FieldDefinition field = _types.GetFieldDefinition(one);
            field.DecodeSignature(names, null);
            names.Add(field.GetCustomAttributes());
        }

        foreach (MethodDefinitionHandle one in type.GetMethods()) ReadMethod(_types.GetMethodDefinition(one), names);
    }

    private void ReadMethod(MethodDefinition method, Names names)
    {
        method.DecodeSignature(names, null);
        names.Add(method.GetGenericParameters());
        names.Add(method.GetCustomAttributes());
        if (method.RelativeVirtualAddress == 0) return;
        MethodBodyBlock body = _binary.GetMethodBody(method.RelativeVirtualAddress);
        if (!body.LocalSignature.IsNil) _types.GetStandaloneSignature(body.LocalSignature).DecodeLocalSignature(names, null);
        foreach (ExceptionRegion region in body.ExceptionRegions) names.Add(region.CatchType);
        BlobReader code = body.GetILReader();
        while (code.RemainingBytes > 0) ReadInstruction(ref code, names);
    }

    private static void ReadInstruction(ref BlobReader code, Names names)
    {
        int value = code.ReadByte();
        if (value == 0xFE) value = 0xFE00 | code.ReadByte();
        switch (OpCodesByValue[value].OperandType)
        {
            case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType or OperandType.InlineSig:
                names.Add(MetadataTokens.EntityHandle(code.ReadInt32()));
                break;
            case OperandType.InlineSwitch:
                int targets = code.ReadInt32();
                code.Offset += targets * sizeof(int);
                break;
            case OperandType.InlineI8 or OperandType.InlineR:
                code.Offset += sizeof(long);
                break;
            case OperandType.InlineBrTarget or OperandType.InlineI or OperandType.InlineString or OperandType.ShortInlineR:
                code.Offset += sizeof(int);
                break;
            case OperandType.InlineVar:
                code.Offset += sizeof(short);
                break;
            case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar:
                code.Offset++;
                break;
        }
    }

    /// <summary>Every type that a signature or a token of one type names becomes an arrow from it.</summary>
    private sealed class Names(TypeArrows owner, TypeDefinitionHandle from) : ISignatureTypeProvider<bool, object?>
    {
        private MetadataReader Types => owner._types;

        internal void Add(EntityHandle used)
        {
            if (used.IsNil) return;
            switch (used.Kind)
            {
                case HandleKind.TypeDefinition:
                    Add((TypeDefinitionHandle)used);
                    break;
                case HandleKind.TypeSpecification:
                    Types.GetTypeSpecification((TypeSpecificationHandle)used).DecodeSignature(this, null);
                    break;
                case HandleKind.FieldDefinition:
                    Add(Types.GetFieldDefinition((FieldDefinitionHandle)used).GetDeclaringType());
                    break;
                case HandleKind.MethodDefinition:
                    Add(Types.GetMethodDefinition((MethodDefinitionHandle)used).GetDeclaringType());
                    break;
                case HandleKind.MemberReference:
                    Add(Types.GetMemberReference((MemberReferenceHandle)used));
                    break;
                case HandleKind.MethodSpecification:
                    MethodSpecification method = Types.GetMethodSpecification((MethodSpecificationHandle)used);
                    Add(method.Method);
                    method.DecodeSignature(this, null);
                    break;
                case HandleKind.StandaloneSignature:
                    Types.GetStandaloneSignature((StandaloneSignatureHandle)used).DecodeMethodSignature(this, null);
                    break;
            }
        }

        internal void Add(GenericParameterHandleCollection parameters)
        {
            foreach (GenericParameterHandle one in parameters)
            {
                foreach (GenericParameterConstraintHandle bound in Types.GetGenericParameter(one).GetConstraints())
                    Add(Types.GetGenericParameterConstraint(bound).Type);
            }
        }

        internal void Add(CustomAttributeHandleCollection attributes)
        {
            foreach (CustomAttributeHandle one in attributes) Add(Types.GetCustomAttribute(one).Constructor);
        }

        private void Add(MemberReference member)
        {
            Add(member.Parent);
            if (member.GetKind() == MemberReferenceKind.Field) member.DecodeFieldSignature(this, null);
            else member.DecodeMethodSignature(this, null);
        }

        private bool Add(TypeDefinitionHandle to) => owner.Outermost(to) is var outer && outer != from && owner._arrows.Add((from, outer));

        public bool GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) => Add(handle);

        public bool GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind)
        {
            Add(handle);
            return true;
        }

        public bool GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => false;

        public bool GetArrayType(bool elementType, ArrayShape shape) => false;

        public bool GetByReferenceType(bool elementType) => false;

        public bool GetFunctionPointerType(MethodSignature<bool> signature) => false;

        public bool GetGenericInstantiation(bool genericType, ImmutableArray<bool> typeArguments) => false;

        public bool GetGenericMethodParameter(object? genericContext, int index) => false;

        public bool GetGenericTypeParameter(object? genericContext, int index) => false;

        public bool GetModifiedType(bool modifier, bool unmodifiedType, bool isRequired) => false;

        public bool GetPinnedType(bool elementType) => false;

        public bool GetPointerType(bool elementType) => false;

        public bool GetPrimitiveType(PrimitiveTypeCode typeCode) => false;

        public bool GetSZArrayType(bool elementType) => false;
    }
}
